/* SPDX-License-Identifier: MIT */
/*
 * cut_disk [-i IMAGE -s SEED] MOUNTPOINT: a file system whose power can be cut
 *
 * Mounts the disk of cut_disk.h, by FUSE: an empty one, or what is left of that of IMAGE by the choice of SEED. Prints
 * "ready", and with -i what was chosen. Then it takes commands from its standard input, a line each, and answers each with a
 * line "ok CHANGES READS SYNCS BYTES": how many calls that change something (syncs among them), reads and syncs there were,
 * and what the files hold.
 *
 *   status        nothing but the answer
 *   cut           the power goes: every call gives EIO from now on
 *   after N       the same at the Nth change from now. It is done and not answered; a sync is not even done
 *   fail N        the Nth sync from now fails with EIO and loses what it should have saved; the next ones succeed, but for
 *                 the first through each other descriptor that was open
 *   read N        the Nth read from now fails with EIO
 *   full BYTES    no file grows beyond BYTES in all; 0: they may
 *   image FILE    writes the disk to FILE, for another cut_disk -i
 *
 * When the power goes it prints "cut". At the end of its input it unmounts and ends. The calls come one by one, so an order
 * of changes is what their sequence numbers say. The page cache above is that of a mount of its own, so nothing in it outlives
 * the cut; it is written through. Locks are the kernel's.
 */
#define FUSE_USE_VERSION 35

#include <errno.h>
#include <fuse_lowlevel.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cut_disk.h"

#define FOREVER 86400.0 /* seconds: nobody else changes this disk */
#define BLOCK 4096

static struct machine {
	struct disk disk;
	struct fuse_session *session;
	uint64_t changes, reads, syncs;
	uint64_t cut_at, fail_at, read_at; /* of these counts; 0: never */
	uint64_t limit;
	bool off;
} m;

/* ---- the power */

static void power_off(void)
{
	m.off = true;
	puts("cut");
	fflush(stdout);
}

/* A call that only looks: false, and answered, when there is no power. */
static bool may_look(fuse_req_t req)
{
	if (m.off)
		fuse_reply_err(req, EIO);
	return !m.off;
}

/* A call that changes something. */
static bool may_change(fuse_req_t req)
{
	if (!may_look(req))
		return false;
	m.changes++;
	m.disk.sequence++;
	return true;
}

/* Whether the power goes before this change is answered. */
static bool goes_now(fuse_req_t req)
{
	if (m.changes != m.cut_at)
		return false;
	power_off();
	fuse_reply_err(req, EIO);
	return true;
}

/* ---- answers */

static struct node *node(fuse_ino_t ino)
{
	return disk_node(&m.disk, ino);
}

static struct stat attributes(const struct node *n)
{
	return (struct stat){
		.st_ino = n->ino,
		.st_mode = n->mode,
		.st_nlink = n->links,
		.st_uid = n->uid,
		.st_gid = n->gid,
		.st_size = (off_t)n->now.size,
		.st_blocks = (blkcnt_t)((n->now.size + 511) / 512),
		.st_blksize = BLOCK,
		.st_atim = n->modified,
		.st_mtim = n->modified,
		.st_ctim = n->modified,
	};
}

static struct fuse_entry_param entry(const struct node *n)
{
	return (struct fuse_entry_param){
		.ino = n->ino,
		.generation = n->generation,
		.attr = attributes(n),
		.attr_timeout = FOREVER,
		.entry_timeout = FOREVER,
	};
}

static void reply_attributes(fuse_req_t req, const struct node *n)
{
	struct stat st = attributes(n);
	fuse_reply_attr(req, &st, FOREVER);
}

static void reply_entry(fuse_req_t req, struct node *n)
{
	struct fuse_entry_param e = entry(n);
	n->lookups++;
	if (fuse_reply_entry(req, &e) < 0)
		n->lookups--;
}

static bool has_room(uint64_t old_size, uint64_t new_size)
{
	return !m.limit || new_size <= old_size || m.disk.bytes + (new_size - old_size) <= m.limit;
}

/* ---- open files: each is told of a failed sync once, if it was open then (Linux, since 4.13: fsync(2)) */

struct handle {
	uint64_t failures_told;
	struct buf listing; /* of a directory, as it was when it began */
};

static struct handle *handle(const struct fuse_file_info *fi)
{
	return (struct handle *)(uintptr_t)fi->fh;
}

static void handle_open(struct node *n, struct fuse_file_info *fi)
{
	struct handle *h = calloc(1, sizeof(*h));
	if (!h)
		die("open");
	h->failures_told = n->failures;
	fi->fh = (uintptr_t)h;
	n->opens++;
}

static void handle_close(fuse_ino_t ino, struct fuse_file_info *fi)
{
	buf_release(&handle(fi)->listing);
	free(handle(fi));
	node(ino)->opens--;
	disk_drop_unused(&m.disk, node(ino));
}

/* ---- calls that look */

static void on_init(void *arg, struct fuse_conn_info *conn)
{
	(void)arg;
	conn->want &= ~(unsigned)FUSE_CAP_WRITEBACK_CACHE;
}

static void on_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	if (!may_look(req))
		return;
	uint64_t ino = names_find(&node(parent)->names_now, name);
	if (ino)
		reply_entry(req, node(ino));
	else
		fuse_reply_err(req, ENOENT);
}

static void on_forget(fuse_req_t req, fuse_ino_t ino, uint64_t count)
{
	struct node *n = node(ino);
	n->lookups -= count < n->lookups ? count : n->lookups;
	disk_drop_unused(&m.disk, n);
	fuse_reply_none(req);
}

static void on_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	(void)fi;
	if (may_look(req))
		reply_attributes(req, node(ino));
}

static void on_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	if (!may_look(req))
		return;
	fi->keep_cache = 1;
	handle_open(node(ino), fi);
	if (fuse_reply_open(req, fi) < 0)
		handle_close(ino, fi);
}

static void on_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	handle_close(ino, fi);
	fuse_reply_err(req, 0);
}

static void on_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, struct fuse_file_info *fi)
{
	(void)fi;
	if (!may_look(req))
		return;
	if (++m.reads == m.read_at) {
		fuse_reply_err(req, EIO);
		return;
	}
	const struct buf *b = &node(ino)->now;
	size_t from = (uint64_t)offset < b->size ? (size_t)offset : b->size;
	size_t n = b->size - from < size ? b->size - from : size;
	fuse_reply_buf(req, n ? (const char *)b->data + from : NULL, n);
}

static void list(fuse_req_t req, const struct node *d, struct buf *out)
{
	buf_clear(out);
	for (size_t i = 0; i < d->names_now.count; i++) {
		const struct name *e = &d->names_now.all[i];
		struct stat st = attributes(node(e->ino));
		size_t n = fuse_add_direntry(req, NULL, 0, e->name, NULL, 0);
		if (!buf_reserve(out, n))
			die("listing");
		fuse_add_direntry(req, (char *)out->data + out->size, n, e->name, &st, (off_t)(out->size + n));
		out->size += n;
	}
}

/* As many whole entries as fit. */
static void on_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, struct fuse_file_info *fi)
{
	if (!may_look(req))
		return;
	struct buf *b = &handle(fi)->listing;
	if (!offset)
		list(req, node(ino), b);
	size_t from = (size_t)offset < b->size ? (size_t)offset : b->size, to = from;
	while (to < b->size) {
		/* struct fuse_dirent: the offset of the next entry is its second word */
		uint64_t next;
		memcpy(&next, b->data + to + 8, sizeof(next));
		if (next - from > size)
			break;
		to = next;
	}
	fuse_reply_buf(req, to > from ? (const char *)b->data + from : NULL, to - from);
}

static void on_statfs(fuse_req_t req, fuse_ino_t ino)
{
	(void)ino;
	if (!may_look(req))
		return;
	uint64_t size = m.limit ? m.limit : 1ull << 40;
	struct statvfs st = {.f_bsize = BLOCK, .f_frsize = BLOCK, .f_namemax = 255, .f_blocks = size / BLOCK,
		.f_files = 1 << 20, .f_ffree = 1 << 20};
	st.f_bfree = st.f_bavail = size > m.disk.bytes ? (size - m.disk.bytes) / BLOCK : 0;
	fuse_reply_statfs(req, &st);
}

/* ---- calls that change names */

static struct node *make(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode)
{
	const struct fuse_ctx *who = fuse_req_ctx(req);
	struct node *d = node(parent);
	if (names_find(&d->names_now, name)) {
		fuse_reply_err(req, EEXIST);
		return NULL;
	}
	bool inherits = d->mode & S_ISGID;
	mode_t more = inherits && S_ISDIR(mode) ? S_ISGID : 0;
	struct node *n = disk_new_node(&m.disk, mode | more, who->uid, inherits ? d->gid : who->gid);
	disk_enter(&m.disk, d, name, n->ino);
	return n;
}

static void on_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, struct fuse_file_info *fi)
{
	if (!may_change(req))
		return;
	struct node *n = make(req, parent, name, S_IFREG | (mode & 07777));
	if (!n || goes_now(req))
		return;
	struct fuse_entry_param e = entry(n);
	fi->keep_cache = 1;
	n->lookups++;
	handle_open(n, fi);
	if (fuse_reply_create(req, &e, fi) < 0) {
		n->lookups--;
		handle_close(n->ino, fi);
	}
}

static void on_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode)
{
	if (!may_change(req))
		return;
	struct node *n = make(req, parent, name, S_IFDIR | (mode & 07777));
	if (n && !goes_now(req))
		reply_entry(req, n);
}

static void on_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t parent, const char *name)
{
	if (!may_change(req))
		return;
	disk_enter(&m.disk, node(parent), name, ino);
	if (!goes_now(req))
		reply_entry(req, node(ino));
}

static void remove_name(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	if (!may_change(req))
		return;
	uint64_t ino = names_find(&node(parent)->names_now, name);
	if (!ino || node(ino)->names_now.count) {
		fuse_reply_err(req, ino ? ENOTEMPTY : ENOENT);
		return;
	}
	disk_enter(&m.disk, node(parent), name, 0);
	if (!goes_now(req))
		fuse_reply_err(req, 0);
}

static void on_rename(fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t to_parent, const char *to,
	unsigned flags)
{
	if (!may_change(req))
		return;
	uint64_t ino = names_find(&node(parent)->names_now, name), old = names_find(&node(to_parent)->names_now, to);
	int e = flags & ~(unsigned)RENAME_NOREPLACE ? EINVAL
		: !ino				    ? ENOENT
		: old && flags			    ? EEXIST
		: old && node(old)->names_now.count ? ENOTEMPTY
						    : 0;
	if (!e && old != ino) {
		disk_enter(&m.disk, node(to_parent), to, ino);
		disk_enter(&m.disk, node(parent), name, 0);
	}
	if (e || !goes_now(req))
		fuse_reply_err(req, e);
}

/* ---- calls that change contents */

static void on_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *st, int what, struct fuse_file_info *fi)
{
	(void)fi;
	if (!may_change(req))
		return;
	struct node *n = node(ino);
	if (what & FUSE_SET_ATTR_SIZE) {
		if (!has_room(n->now.size, (uint64_t)st->st_size)) {
			fuse_reply_err(req, ENOSPC);
			return;
		}
		disk_truncate(&m.disk, n, (uint64_t)st->st_size);
	}
	if (what & FUSE_SET_ATTR_MODE)
		n->mode = (n->mode & S_IFMT) | (st->st_mode & 07777);
	if (what & FUSE_SET_ATTR_UID)
		n->uid = st->st_uid;
	if (what & FUSE_SET_ATTR_GID)
		n->gid = st->st_gid;
	if (what & FUSE_SET_ATTR_MTIME)
		n->modified = st->st_mtim;
	if (what & FUSE_SET_ATTR_MTIME_NOW)
		clock_gettime(CLOCK_REALTIME, &n->modified);
	if (!goes_now(req))
		reply_attributes(req, n);
}

/* On a full disk as much as fits. */
static void on_write(fuse_req_t req, fuse_ino_t ino, const char *data, size_t size, off_t offset, struct fuse_file_info *fi)
{
	(void)fi;
	if (!may_change(req))
		return;
	struct node *n = node(ino);
	uint64_t at = (uint64_t)offset;
	if (!has_room(n->now.size, at + size)) {
		uint64_t end = n->now.size + (m.limit > m.disk.bytes ? m.limit - m.disk.bytes : 0);
		size = end > at ? (size_t)(end - at) : 0;
	}
	if (!size) {
		fuse_reply_err(req, ENOSPC);
		return;
	}
	disk_write(&m.disk, n, at, data, size);
	if (!goes_now(req))
		fuse_reply_write(req, size);
}

static void on_fallocate(fuse_req_t req, fuse_ino_t ino, int mode, off_t offset, off_t length, struct fuse_file_info *fi)
{
	(void)fi;
	if (!may_change(req))
		return;
	struct node *n = node(ino);
	uint64_t end = (uint64_t)offset + (uint64_t)length;
	int e = mode & ~FALLOC_FL_KEEP_SIZE ? EOPNOTSUPP : !has_room(n->now.size, end) ? ENOSPC : 0;
	if (!e && !mode)
		disk_allocate(&m.disk, n, end);
	if (e || !goes_now(req))
		fuse_reply_err(req, e);
}

static void on_fsync(fuse_req_t req, fuse_ino_t ino, int data_only, struct fuse_file_info *fi)
{
	(void)data_only;
	if (!may_change(req) || goes_now(req))
		return;
	struct node *n = node(ino);
	bool fails = ++m.syncs == m.fail_at;
	n->failures += fails;
	disk_sync(&m.disk, n, fails);
	bool told = handle(fi)->failures_told == n->failures;
	handle(fi)->failures_told = n->failures;
	fuse_reply_err(req, told ? 0 : EIO);
}

static const struct fuse_lowlevel_ops operations = {
	.init = on_init,
	.lookup = on_lookup,
	.forget = on_forget,
	.getattr = on_getattr,
	.setattr = on_setattr,
	.mkdir = on_mkdir,
	.unlink = remove_name,
	.rmdir = remove_name,
	.rename = on_rename,
	.link = on_link,
	.open = on_open,
	.read = on_read,
	.write = on_write,
	.release = on_release,
	.fsync = on_fsync,
	.opendir = on_open,
	.readdir = on_readdir,
	.releasedir = on_release,
	.fsyncdir = on_fsync,
	.statfs = on_statfs,
	.create = on_create,
	.fallocate = on_fallocate,
};

/* ---- commands */

static void command(char *line)
{
	char *arg = strchr(line, ' ');
	uint64_t n = arg ? strtoull(arg + 1, NULL, 10) : 0;
	if (arg)
		*arg++ = 0;
	if (!strcmp(line, "cut")) {
		if (!m.off)
			power_off();
	} else if (!strcmp(line, "after")) {
		m.cut_at = m.changes + n;
	} else if (!strcmp(line, "fail")) {
		m.fail_at = m.syncs + n;
	} else if (!strcmp(line, "read")) {
		m.read_at = m.reads + n;
	} else if (!strcmp(line, "full")) {
		m.limit = n;
	} else if (!strcmp(line, "image") && arg) {
		disk_save(&m.disk, arg);
	} else if (strcmp(line, "status") != 0) {
		errno = EINVAL;
		die(line);
	}
	printf("ok %llu %llu %llu %llu\n", (unsigned long long)m.changes, (unsigned long long)m.reads,
		(unsigned long long)m.syncs, (unsigned long long)m.disk.bytes);
	fflush(stdout);
}

/* False at the end of the input. */
static bool take_commands(struct buf *in)
{
	if (!buf_reserve(in, 4096))
		die("commands");
	ssize_t n = read(0, in->data + in->size, 4096);
	if (n <= 0)
		return false;
	in->size += (size_t)n;
	uint8_t *end;
	while ((end = memchr(in->data, '\n', in->size))) {
		*end++ = 0;
		command((char *)in->data);
		in->size -= (size_t)(end - in->data);
		memmove(in->data, end, in->size);
	}
	return true;
}

static void serve(void)
{
	struct pollfd wait[2] = {{.fd = 0, .events = POLLIN}, {.fd = fuse_session_fd(m.session), .events = POLLIN}};
	struct fuse_buf call = {0};
	struct buf in = {0};
	while (!fuse_session_exited(m.session)) {
		if (poll(wait, 2, -1) < 0 && errno != EINTR)
			die("poll");
		if (wait[0].revents && !take_commands(&in))
			break;
		if (!wait[1].revents)
			continue;
		int n = fuse_session_receive_buf(m.session, &call);
		if (n > 0)
			fuse_session_process_buf(m.session, &call);
		else if (n != -EINTR && n != -EAGAIN)
			break;
	}
	free(call.mem);
	buf_release(&in);
}

int main(int argc, char **argv)
{
	const char *image = NULL, *how = "an empty disk";
	uint64_t seed = 0;
	for (int c; (c = getopt(argc, argv, "i:s:")) != -1;) {
		if (c == 'i')
			image = optarg;
		else if (c == 's')
			seed = strtoull(optarg, NULL, 10);
		else
			return 2;
	}
	if (optind + 1 != argc) {
		fprintf(stderr, "usage: cut_disk [-i IMAGE -s SEED] MOUNTPOINT\n");
		return 2;
	}
	if (image)
		how = disk_load(&m.disk, image, seed);
	else
		disk_init(&m.disk);
	char *options[] = {argv[0], (char[]){"-odefault_permissions,fsname=cut_disk"}, NULL};
	struct fuse_args args = FUSE_ARGS_INIT(2, options);
	m.session = fuse_session_new(&args, &operations, sizeof(operations), NULL);
	if (!m.session || fuse_session_mount(m.session, argv[optind]) < 0)
		return 77;
	printf("ready %s\n", how);
	fflush(stdout);
	serve();
	fuse_session_unmount(m.session);
	fuse_session_destroy(m.session);
	return 0;
}
