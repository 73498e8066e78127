/* SPDX-License-Identifier: MIT */
/*
 * Check: a whole store, everything held against everything
 *
 *     CURRENT -> MANIFEST -> per column family: the tables it names, levels, order at level 0
 *                         -> the logs that count -> (if it is there) the shared memory
 *                table    -> its own blocks, index, filter, properties (lib/table/check.c)
 *                         -> bounds, sequence numbers, size, comparator as the MANIFEST has them
 *                         -> whether its entries can be read: their blobs, a merge operator
 *
 * Others may write, flush and rebuild meanwhile; none of them is to feel the check. So it takes no lock, not even R on
 * ATTACH, maps the shared memory for reading only, and has one picture of the store instead:
 *
 *     1  stamp: number of the view, CURRENT's MANIFEST and its size
 *     2  everything small is read, and every table opened (an open file outlives its name); what is found is kept
 *     3  stamp again. The picture holds if nothing was found, or if the stamp is the same and a second picture found the
 *        very same: what a write, a flush or a repair under way looks like for a moment does not come twice
 *     4  what was kept is told; the open tables are read at leisure
 *
 * Without shared memory a picture holds only if the stamp is the same, found or not, as in private.c. That RocksDB, or
 * a rebuild, may come while we are at it is no danger: neither changes a file that the picture has open, except that the
 * torn end of a log is cut off.
 *
 * When the MANIFEST cannot be read, nothing can be held against it; then each table and log is checked by itself.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/status.h"
#include "db/check.h"

#define TRIES 100
#define FAMILIES_MAX 1024

/* ---- saying what was found */

static void count(struct check *c, const struct lsm_finding *f)
{
	struct lsm_check_stats *s = c->stats;
	s->damages += f->kind == LSM_FINDING_DAMAGE;
	s->unsupported += f->kind == LSM_FINDING_UNSUPPORTED;
	s->unreadable += f->kind == LSM_FINDING_UNREADABLE;
	if (f->kind == LSM_FINDING_UNREADABLE)
		snprintf(c->io_error, sizeof(c->io_error), "'%s': %s", f->file, f->damage.what);
}

void check_give(struct check *c, const struct lsm_finding *f)
{
	count(c, f);
	if (c->report)
		c->report(c->arg, f);
}

static void keep(struct check *c, enum lsm_finding_kind kind, const char *file, const char *what)
{
	buf_push(&c->kept, (uint8_t)kind);
	buf_append(&c->kept, file, strlen(file) + 1);
	buf_append(&c->kept, what, strlen(what) + 1);
}

void check_say(struct check *c, enum lsm_finding_kind kind, const char *file, const char *fmt, ...)
{
	char what[640];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	struct lsm_finding f = {.kind = kind, .file = file, .damage.what = what};
	if (c->keeping)
		keep(c, kind, file, what);
	else
		check_give(c, &f);
}

static void give_kept(struct check *c)
{
	for (size_t at = 0; at < c->kept.size;) {
		const char *p = (const char *)c->kept.data + at;
		struct lsm_finding f = {.kind = (enum lsm_finding_kind)*p, .file = p + 1};
		f.damage.what = f.file + strlen(f.file) + 1;
		at += 1 + strlen(f.file) + 1 + strlen(f.damage.what) + 1;
		check_give(c, &f);
	}
}

static const char *skip_text(const char *s, const char *text)
{
	size_t n = strlen(text);
	return strncmp(s, text, n) == 0 ? s + n : s;
}

const char *check_bare_message(const char *file)
{
	char quoted[FILE_NAME_MAX + 8];
	snprintf(quoted, sizeof(quoted), "'%s': ", file);
	return skip_text(skip_text(sst_errmsg(), "cannot read "), quoted);
}

int check_failure(struct check *c, int rc, const char *file)
{
	char what[512];
	if (rc == SST_ENOMEM || rc >= 0)
		return rc;
	snprintf(what, sizeof(what), "%s", check_bare_message(file));
	check_say(c,
		rc == SST_ECORRUPT || rc == SST_EINVAL ? LSM_FINDING_DAMAGE
		: rc == SST_EUNSUPPORTED	       ? LSM_FINDING_UNSUPPORTED
						       : LSM_FINDING_UNREADABLE,
		file, "%s", what);
	return 0;
}

/* ---- the MANIFEST and its column families */

static enum key_order order_of(struct check *c, const struct version *v)
{
	const struct family *f = version_family(v, v->family);
	char name[FILE_NAME_MAX];
	if (family_is_bytewise(f))
		return ORDER_BYTEWISE;
	if (slice_eq(buf_slice(&f->comparator), slice_str("rocksdb.ReverseBytewiseComparator")))
		return ORDER_REVERSE;
	check_say(c, LSM_FINDING_UNSUPPORTED, file_name(name, FILE_MANIFEST, v->manifest_number),
		"column family '%.*s' is ordered by '%.*s', which is not known here: order, bounds and filters were left out",
		f->name.size > 80 ? 80 : (int)f->name.size, (const char *)f->name.data,
		f->comparator.size > 80 ? 80 : (int)f->comparator.size, (const char *)f->comparator.data);
	return ORDER_UNKNOWN;
}

static int open_foreign(struct check *c, struct check_family *f)
{
	c->db->version = f->version;
	int rc = foreign_open(c->db);
	f->foreign = c->db->foreign;
	c->db->foreign = NULL;
	c->db->version = (struct version){0};
	return rc;
}

/* Takes v over. */
static int add_family(struct check *c, struct version *v, const char *name)
{
	struct check_family *all = reallocarray(c->families, c->family_count + 1, sizeof(*all));
	if (!all) {
		version_release(v);
		return fail_memory();
	}
	c->families = all;
	struct check_family *f = &all[c->family_count++];
	*f = (struct check_family){.version = *v, .order = order_of(c, v)};
	if (c->family_count > 1 && !(f->name = strdup(name)))
		return fail_memory();
	return open_foreign(c, f);
}

static int read_family(struct check *c, uint64_t number, uint64_t limit, const char *name)
{
	char file[FILE_NAME_MAX];
	struct version v;
	int rc = manifest_read(c->db->dirfd, number, limit, name, &v);
	if (!rc)
		return add_family(c, &v, name);
	c->alone = true;
	if (rc == SST_ENOENT && name)
		return rc; /* no such family, asked for by the caller */
	file_name(file, FILE_MANIFEST, number);
	if (rc == SST_ENOENT) {
		check_say(c, LSM_FINDING_DAMAGE, file, "is missing, CURRENT names it");
		return 0;
	}
	return check_failure(c, rc, file);
}

static int read_other_families(struct check *c, uint64_t number, uint64_t limit)
{
	int rc = 0;
	for (size_t i = 1; i < c->families[0].version.family_count && !rc && !c->alone; i++) {
		const struct buf *b = &c->families[0].version.families[i].name;
		char *name = strndup((const char *)(b->size ? b->data : (const uint8_t *)""), b->size);
		if (i == FAMILIES_MAX) {
			char file[FILE_NAME_MAX];
			check_say(c, LSM_FINDING_UNSUPPORTED, file_name(file, FILE_MANIFEST, number),
				"the tables of column families behind the first %d were left out", FAMILIES_MAX);
			free(name);
			break;
		}
		rc = name ? read_family(c, number, limit, name) : fail_memory();
		free(name);
	}
	return rc;
}

/* All of the MANIFEST must be readable; the tables are those up to the view. */
static int read_manifest(struct check *c, uint64_t number)
{
	const char *asked = c->db->options.family;
	char name[FILE_NAME_MAX];
	uint64_t limit = c->live ? c->view.manifest_size : UINT64_MAX;
	struct version whole;
	file_name(name, FILE_MANIFEST, number);
	int rc = read_family(c, number, limit, asked);
	if (rc || c->alone)
		return rc;
	if (!asked)
		rc = read_other_families(c, number, limit);
	if (rc)
		return rc;
	rc = manifest_read(c->db->dirfd, number, UINT64_MAX, NULL, &whole);
	if (rc)
		return check_failure(c, rc, name);
	if (whole.manifest_size < limit && c->live)
		check_say(c, LSM_FINDING_DAMAGE, name, "its edits end at %llu, the shared memory knows of %llu bytes",
			(unsigned long long)whole.manifest_size, (unsigned long long)limit);
	else if (whole.file_size > whole.manifest_size && !c->live)
		check_say(c, LSM_FINDING_NOTE, name, "ends at %llu with an unfinished edit, which does not count",
			(unsigned long long)whole.manifest_size);
	version_release(&whole);
	return 0;
}

/* ---- files that nobody names */

struct stray {
	struct check *c;
	uint64_t log_minimum, log_previous;
	bool tables_known; /* every column family's, in: */
	uint64_t *tables;  /* numbers, ascending */
	size_t table_count;
};

static int note_stray(void *arg, const char *name)
{
	struct stray *s = arg;
	uint64_t number;
	enum file_kind kind = file_name_parse(name, &number);
	if ((kind == FILE_TABLE || kind == FILE_TABLE_LDB) && s->tables_known &&
		!bsearch(&number, s->tables, s->table_count, sizeof(*s->tables), file_number_cmp))
		check_say(s->c, LSM_FINDING_NOTE, name, "is not named by the MANIFEST: does not count");
	if (kind == FILE_WAL && number < s->log_minimum && number != s->log_previous)
		check_say(s->c, LSM_FINDING_NOTE, name, "is older than the MANIFEST's log number: does not count");
	return 0;
}

static int list_tables(struct check *c, struct stray *s)
{
	for (size_t i = 0; i < c->family_count; i++)
		s->table_count += c->families[i].version.table_count;
	s->tables = calloc(s->table_count + 1, sizeof(*s->tables));
	if (!s->tables)
		return fail_memory();
	size_t n = 0;
	for (size_t i = 0; i < c->family_count; i++)
		for (size_t j = 0; j < c->families[i].version.table_count; j++)
			s->tables[n++] = c->families[i].version.tables[j].number;
	qsort(s->tables, n, sizeof(*s->tables), file_number_cmp);
	return 0;
}

static int check_strays(struct check *c)
{
	struct stray s = {.c = c};
	if (c->alone)
		return 0;
	s.tables_known = c->family_count == c->families[0].version.family_count;
	s.log_minimum = check_log_minimum(c);
	s.log_previous = c->families[0].version.prev_log_number;
	int rc = list_tables(c, &s);
	if (!rc)
		rc = dir_list(c->db->dirfd, note_stray, &s);
	free(s.tables);
	return rc;
}

/* ---- the picture */

/* What RocksDB changes with every change of its files; zero: it cannot be read. */
struct stamp {
	uint64_t manifest_number, manifest_size;
};

static struct stamp stamp_of(struct check *c)
{
	char name[FILE_NAME_MAX];
	struct file_id id;
	struct stamp s;
	if (current_read(c->db->dirfd, &s.manifest_number) ||
		file_identify_at(c->db->dirfd, file_name(name, FILE_MANIFEST, s.manifest_number), &id))
		return (struct stamp){0};
	s.manifest_size = id.size;
	return s;
}

static bool view_stays(struct check *c)
{
	if (!c->live)
		return true;
	struct view now = view_read(c->db, NULL);
	uint64_t number = now.number;
	return number == c->view.number && !segment_unlinked(&c->db->control_segment);
}

static void forget_picture(struct check *c)
{
	for (size_t i = 0; i < c->family_count; i++) {
		struct check_family *f = &c->families[i];
		check_tables_close(c, f);
		c->db->foreign = f->foreign;
		foreign_close(c->db);
		version_release(&f->version);
		free(f->name);
	}
	free(c->families);
	c->families = NULL;
	c->family_count = c->held = 0;
	c->alone = c->live = false;
	c->log_first = c->log_last = 0;
	store_unmap(c->db);
	file_close(&c->db->lockfd);
	buf_clear(&c->kept);
}

static int read_current(struct check *c, uint64_t *number)
{
	int rc = current_read(c->db->dirfd, number);
	if (!rc)
		return 0;
	c->alone = true;
	if (rc != SST_ENOENT)
		return check_failure(c, rc, "CURRENT");
	rc = store_absent(c->db);
	if (rc != SST_ECORRUPT)
		return rc;
	check_say(c, LSM_FINDING_DAMAGE, "CURRENT", "is missing, and there are files of a store");
	return 0;
}

static int open_family(struct check *c, struct check_family *f)
{
	int rc = check_levels(c, f);
	return rc ? rc : check_tables_open(c, f);
}

/* Everything but the contents of the tables. */
static int take_picture(struct check *c)
{
	uint64_t number = 0;
	int rc = read_current(c, &number);
	if (!rc)
		rc = check_memory_attach(c, number);
	if (!rc && !c->alone)
		rc = read_manifest(c, number);
	if (!rc)
		rc = check_logs(c);
	for (size_t i = 0; i < c->family_count && !rc; i++)
		rc = open_family(c, &c->families[i]);
	if (!rc)
		rc = check_strays(c);
	return rc ? rc : buf_check(&c->kept);
}

/* `last`: what the picture before found, if its stamp was steady. */
static bool holds(const struct check *c, bool steady, const struct buf *last)
{
	if (!c->kept.size)
		return steady || c->live;
	return steady && slice_eq(buf_slice(&c->kept), buf_slice(last));
}

static int wait_for_picture(struct check *c, struct buf *last)
{
	struct patience p = {0};
	for (unsigned i = 0; i < TRIES; i++) {
		struct stamp before = stamp_of(c);
		int rc = take_picture(c);
		if (rc)
			return rc;
		struct stamp after = stamp_of(c);
		bool steady = memcmp(&before, &after, sizeof(before)) == 0 && view_stays(c);
		if (holds(c, steady, last))
			return 0;
		buf_clear(last);
		if (steady)
			buf_append_slice(last, buf_slice(&c->kept));
		forget_picture(c);
		rc = patience_wait(&p, c->db, "its files change");
		if (rc)
			return rc;
	}
	return fail(SST_EBUSY, "store '%s' changes faster than it can be read", c->db->path);
}

/* ---- the verb */

static int check_one_alone(void *arg, const char *name)
{
	uint64_t number;
	enum file_kind kind = file_name_parse(name, &number);
	return kind == FILE_TABLE || kind == FILE_TABLE_LDB ? check_table_alone(arg, name) : 0;
}

static int check_config(struct check *c)
{
	int rc = config_read(&c->db->config, c->db->dirfd);
	return rc ? check_failure(c, rc, "lsm.conf") : 0;
}

static int check_store(struct check *c)
{
	struct buf last = {0};
	c->keeping = true;
	int rc = wait_for_picture(c, &last);
	c->keeping = false;
	buf_release(&last);
	if (rc)
		return rc;
	give_kept(c);
	check_logs_tell(c);
	rc = check_config(c);
	if (!rc)
		rc = c->alone ? dir_list(c->db->dirfd, check_one_alone, c) : check_tables(c);
	if (rc)
		return rc;
	if (c->stats->damages || c->stats->unsupported)
		return SST_NO;
	return c->stats->unreadable ? fail(SST_EIO, "%s", c->io_error) : 0;
}

static int open_directory(struct lsm *db, const char *dir)
{
	db->path = strdup(dir);
	if (!db->path)
		return fail_memory();
	if (segment_dir(&db->shmfd))
		db->shmfd = -1;
	int rc = dir_open(&db->dirfd, dir);
	if (rc == SST_ENOENT)
		return fail(SST_ENOENT, "no store '%s'", dir);
	return rc ? rc : file_access(db->dirfd, &db->access, dir);
}

int lsm_check(const char *dir, const struct lsm_options *opt, void (*report)(void *arg, const struct lsm_finding *f),
	void *arg, struct lsm_check_stats *stats)
{
	struct lsm_check_stats mine;
	struct check c = {.report = report, .arg = arg, .stats = stats ? stats : &mine};
	struct lsm *db = c.db = calloc(1, sizeof(*db));
	if (!db)
		return fail_memory();
	*c.stats = (struct lsm_check_stats){0};
	db->options = opt ? *opt : (struct lsm_options){.timeout_ms = -1};
	db->dirfd = db->lockfd = db->shmfd = db->wal_fd = -1;
	db->lock_read_only = true;
	int rc = open_directory(db, dir);
	if (!rc)
		rc = check_store(&c);
	forget_picture(&c);
	buf_release(&c.kept);
	buf_release(&c.value);
	free(c.log_reads);
	lsm_close(db);
	return rc;
}
