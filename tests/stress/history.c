/* SPDX-License-Identifier: MIT */
/*
 * history [-k] [-p PROCESSES] [-r ROUND_MS] [-s SEED] DIR SECONDS - histories of one store and many processes, for check_history
 *
 * Every round makes a new store in DIR/store, with memtables of 64 KiB, and processes that put, get, delete, put without
 * clobbering, write batches and scan, all on the same few keys, beside processes that flush. Some keep their handle, some
 * open one for a few operations as a command does, some read only. Every operation, with its times and what it saw, goes to
 * standard output in the form of check_history.h.
 *
 *  - A scan's answer is the return of lsm_scan_new: its instant must lie before that, however long afterwards it is
 *    read, and whatever its own process writes meanwhile through the same handle.
 *  - Values are numbers used once, followed by padding that depends on the number, so that a torn one is seen.
 *  - Operations are recorded in memory shared with the parent, so that a kill loses none. A write under way when its process
 *    is killed has no answer. Its sequence number is known all the same: batches are built in that memory too (the one
 *    thing for which this program looks behind the public header), where the library seals them.
 *  - -k: processes are killed all the time, flushers too, and replaced; three times a round all are killed, and at random the
 *    shared memory is removed, so that the next one rebuilds it. Built with kill points (lib/os/kill_point.h; make testing)
 *    most of them stop at one, with whatever lock they hold, before they are killed. They do not kill themselves, so that
 *    the order of the deaths is known.
 *
 * Every round ends with scans of what is left by a new handle, with the memory and without.
 */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "db/store.h"
#include "check_history.h"

#define PROCESSES_MAX 31 /* and the parent */
#define FLUSHERS 2
#define KEYS 24
#define GROUP 6 /* keys that some batches write together */
#define PAIRS_MAX KEYS
#define VALUE_MAX 480
#define LIVES 3 /* of all, in a round with kills */

struct record {
	_Atomic uint64_t invoked; /* stored last: 0 = there is no such record */
	_Atomic uint64_t answered; /* 0: not yet */
	uint64_t sequence;
	uint32_t verb, count;
	bool died;
	struct pair pairs[PAIRS_MAX];
};
#define RECORDS_MAX 60000 /* of one process in one round */

struct recorder {
	_Atomic uint64_t count, ids;
	uint8_t batch[PAIRS_MAX * (VALUE_MAX + 32)]; /* the batch under way; begins with its sequence number */
	struct record records[RECORDS_MAX];
};

static struct shared {
	_Atomic bool wrong, stop;
	_Atomic uint64_t tables;
	_Alignas(4096) struct recorder recorders[PROCESSES_MAX + 1];
} *shared;

static const char *program = "history";
static char path[3000]; /* of the store */
static bool kills;
static unsigned processes = 12;
static uint64_t round_ms = 2000, seed;

/* this process's */
static struct recorder *me;
static unsigned slot;
static struct lsm *db;
static bool reads_only;
static struct lsm_batch batch;

static uint64_t random64(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

static uint32_t random_below(uint32_t n)
{
	return (uint32_t)((random64() >> 16) % n);
}

static uint64_t now(void)
{
	struct timespec t;
	atomic_thread_fence(memory_order_seq_cst);
	clock_gettime(CLOCK_MONOTONIC, &t);
	atomic_thread_fence(memory_order_seq_cst);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static void complain(const char *what, const char *why)
{
	fprintf(stderr, "%s: WRONG: %s: %s\n", program, what, why);
	atomic_store(&shared->wrong, true);
}

static void fatal(const char *what)
{
	complain(what, sst_errmsg());
	_exit(3);
}

/* ---------------------------------------------------------------- keys and values */

/* The first keys are written all the time, the last so seldom that most of what is read of them lies in tables. */
static uint32_t key_to_write(void)
{
	return random_below(1 + random_below(1 + random_below(KEYS)));
}

static struct sst_slice key_of(char *buf, uint32_t key)
{
	return slice_of(buf, (size_t)sprintf(buf, "k%02" PRIu32, key));
}

static uint32_t key_number(struct sst_slice key)
{
	if (key.size != 3 || key.data[0] != 'k')
		fatal("a key that nobody wrote");
	return (uint32_t)(key.data[1] - '0') * 10 + (uint32_t)(key.data[2] - '0');
}

static struct sst_slice value_of(char *buf, uint64_t number)
{
	size_t size = (size_t)sprintf(buf, "%" PRIu64 ".", number);
	size_t padding = (size_t)(number * UINT64_C(0x9e3779b97f4a7c15) >> 40) % (VALUE_MAX - 32);
	memset(buf + size, 'a' + (int)(number % 26), padding);
	return slice_of(buf, size + padding);
}

static uint64_t value_number(struct sst_slice value)
{
	char buf[VALUE_MAX];
	uint64_t number = 0;
	for (size_t i = 0; i < value.size && i < 20 && value.data[i] >= '0' && value.data[i] <= '9'; i++)
		number = number * 10 + (uint64_t)(value.data[i] - '0');
	if (!number || !slice_eq(value, value_of(buf, number)))
		fatal("a value that nobody wrote");
	return number;
}

static uint64_t new_number(void)
{
	uint64_t n = atomic_fetch_add_explicit(&me->ids, 1, memory_order_relaxed) + 1;
	return n * (PROCESSES_MAX + 1) + slot;
}

/* ---------------------------------------------------------------- recording */

static struct record *next_record(void)
{
	uint64_t n = atomic_load(&me->count);
	while (n == RECORDS_MAX && !atomic_load(&shared->stop))
		usleep(10000);
	if (n == RECORDS_MAX)
		_exit(0);
	return &me->records[n];
}

static void begin(struct record *r)
{
	memset(me->batch, 0, 8);
	atomic_store(&r->invoked, now());
}

static void answer(struct record *r)
{
	atomic_store(&r->answered, now());
	atomic_fetch_add(&me->count, 1);
}

/* ---------------------------------------------------------------- operations */

static void get(void)
{
	char buf[8];
	struct sst_slice value;
	struct record *r = next_record();
	uint32_t key = random_below(KEYS);
	r->verb = VERB_GET;
	r->count = 1;
	r->pairs[0] = (struct pair){.key = key};
	begin(r);
	int rc = lsm_get(db, key_of(buf, key), &value);
	uint64_t answered = now();
	if (rc < 0)
		fatal("get");
	if (!rc)
		r->pairs[0].value = value_number(value);
	atomic_store(&r->answered, answered);
	atomic_fetch_add(&me->count, 1);
}

static void write_answered(struct record *r, int rc, unsigned flags)
{
	if (rc < 0)
		fatal("write");
	memcpy(&r->sequence, me->batch, 8);
	if (flags & LSM_NO_CLOBBER)
		r->verb = rc ? VERB_REFUSED : VERB_CREATE;
	if (rc)
		r->sequence = 0;
	answer(r);
}

static void add_change(struct record *r, uint32_t key, uint64_t number)
{
	char k[8], v[VALUE_MAX];
	int rc = number ? lsm_batch_put(&batch, key_of(k, key), value_of(v, number))
			: lsm_batch_delete(&batch, key_of(k, key));
	if (rc)
		fatal("batch");
	r->pairs[r->count++] = (struct pair){.key = key, .value = number};
}

/* A group of keys with one value, or any keys (some of them twice), put and deleted. */
static void write_batch(unsigned flags)
{
	struct record *r = next_record();
	uint64_t number = new_number();
	bool group = random_below(2);
	uint32_t first = key_to_write() / GROUP * GROUP, count = group ? GROUP : 2 + random_below(4);
	r->verb = flags & LSM_NO_CLOBBER ? VERB_CREATE : VERB_WRITE;
	r->count = 0;
	lsm_batch_clear(&batch);
	if (flags & LSM_NO_CLOBBER)
		count = 2;
	for (uint32_t i = 0; i < count; i++)
		add_change(r, group ? first + i : key_to_write(),
			group || flags & LSM_NO_CLOBBER || random_below(3) ? number : 0);
	begin(r);
	write_answered(r, lsm_write(db, &batch, flags), flags);
}

static void write_single(bool put, unsigned flags)
{
	char k[8], v[VALUE_MAX];
	struct record *r = next_record();
	uint32_t key = key_to_write();
	uint64_t number = put ? new_number() : 0;
	r->verb = flags & LSM_NO_CLOBBER ? VERB_CREATE : VERB_WRITE;
	r->count = 1;
	r->pairs[0] = (struct pair){.key = key, .value = number};
	begin(r);
	int rc = put ? lsm_put(db, key_of(k, key), value_of(v, number), flags) : lsm_delete(db, key_of(k, key), flags);
	write_answered(r, rc, flags);
}

static void write_something(void)
{
	unsigned flags = random_below(20) ? LSM_NO_SYNC : 0, what = random_below(16);
	if (what < 6)
		write_single(true, flags);
	else if (what < 9)
		write_single(false, flags);
	else if (what < 12)
		write_single(true, flags | LSM_NO_CLOBBER);
	else
		write_batch(random_below(6) ? flags : flags | LSM_NO_CLOBBER);
}

/* Keys begin <= k < end. */
static struct lsm_scan_options scan_range(uint32_t *begin_key, uint32_t *end_key, char bounds[2][8])
{
	struct lsm_scan_options o = {.reverse = random_below(2)};
	uint32_t a = random_below(KEYS), b = random_below(KEYS);
	*begin_key = 0;
	*end_key = KEYS;
	switch (random_below(4)) {
	case 0:
		*begin_key = a < b ? a : b;
		*end_key = a < b ? b + 1 : a + 1;
		o.from = key_of(bounds[0], *begin_key);
		o.has_to = true;
		o.to = key_of(bounds[1], *end_key);
		break;
	case 1:
		*begin_key = a / 10 * 10;
		*end_key = *begin_key + 10 < KEYS ? *begin_key + 10 : KEYS;
		o.prefix = slice_of(bounds[0], (size_t)sprintf(bounds[0], "k%" PRIu32, a / 10));
		break;
	default:
		break;
	}
	return o;
}

static void read_scan(struct lsm_scan *s, struct record *r, uint32_t first, uint32_t end, bool reverse)
{
	struct sst_slice k, v;
	uint32_t pause_at = random_below(2 * KEYS), seen = 0;
	int64_t last = reverse ? KEYS : -1;
	int rc;
	for (uint32_t i = 0; i < end - first; i++)
		r->pairs[i] = (struct pair){.key = first + i};
	r->count = end - first;
	while (!(rc = lsm_scan_next(s, &k, &v))) {
		uint32_t key = key_number(k);
		if (key < first || key >= end || (reverse ? key >= last : key <= last))
			complain("scan", "keys out of order or out of range");
		last = key;
		r->pairs[key - first].value = value_number(v);
		if (seen++ != pause_at)
			continue;
		if (!reads_only && random_below(2))
			write_something();
		else
			usleep(random_below(3000));
	}
	if (rc != SST_NO)
		fatal("scan");
}

static void scan_with(const struct lsm_scan_options *o, uint32_t first, uint32_t end)
{
	struct record here = {.verb = VERB_SCAN};
	struct lsm_scan *s;
	uint64_t invoked = now();
	if (lsm_scan_new(&s, db, o))
		fatal("scan");
	atomic_store(&here.answered, now());
	here.sequence = lsm_scan_sequence(s);
	read_scan(s, &here, first, end, o->reverse);
	lsm_scan_free(s);
	struct record *r = next_record();
	*r = here;
	atomic_store(&r->invoked, invoked);
	atomic_fetch_add(&me->count, 1);
}

static void scan(void)
{
	char bounds[2][8];
	uint32_t first, end;
	struct lsm_scan_options o = scan_range(&first, &end, bounds);
	scan_with(&o, first, end);
}

static void do_something(void)
{
	unsigned what = random_below(32);
	if (what < 14)
		get();
	else if (what < 15)
		scan();
	else if (!reads_only)
		write_something();
}

/* ---------------------------------------------------------------- processes */

static void be(unsigned i)
{
	slot = i;
	me = &shared->recorders[i];
	batch = (struct lsm_batch){.batch.rep = {.data = me->batch, .cap = sizeof(me->batch)}};
	lsm_batch_clear(&batch);
}

static void open_store(bool read_only)
{
	struct lsm_options o = {.create = !read_only, .read_only = read_only, .timeout_ms = 60000};
	if (lsm_open(&db, path, &o))
		fatal("open");
	db->single = &batch;
	reads_only = read_only;
}

static void close_store(void)
{
	db->single = NULL;
	lsm_close(db);
}

static void worker(void)
{
	while (!atomic_load(&shared->stop)) {
		uint32_t operations = slot % 4 == 3 ? 1 + random_below(6) : 1 + random_below(4000);
		open_store(random_below(6) == 0);
		while (operations-- && !atomic_load(&shared->stop))
			do_something();
		close_store();
	}
}

static void count_table(void *arg, const struct lsm_flushed *f)
{
	(void)arg;
	(void)f;
	atomic_fetch_add(&shared->tables, 1);
}

static void flusher(void)
{
	while (!atomic_load(&shared->stop)) {
		struct lsm_flush_options o = {.frozen_only = random_below(4) != 0};
		open_store(false);
		for (uint32_t times = 1 + random_below(20); times && !atomic_load(&shared->stop); times--) {
			if (lsm_flush(db, &o, count_table, NULL))
				fatal("flush");
			usleep(random_below(20000));
		}
		close_store();
	}
}

/* In the child: 0. */
static pid_t fork_with_seed(void)
{
	uint64_t child_seed = random64() | 1;
	pid_t pid = fork();
	if (pid < 0)
		fatal("fork");
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		seed = child_seed;
	}
	return pid;
}

static void stop_somewhere(void)
{
	char spec[32];
	sprintf(spec, "*:%" PRIu32, 1 + random_below(UINT32_C(2) << random_below(13)));
	setenv("LSM_STOP", spec, 1);
}

static pid_t spawn(unsigned i)
{
	pid_t pid = fork_with_seed();
	if (pid)
		return pid;
	if (kills && random_below(4))
		stop_somewhere();
	if (i < processes) {
		be(i);
		worker();
	} else {
		be(PROCESSES_MAX); /* writes nothing */
		flusher();
	}
	_exit(0);
}

/* What was under way: a read is forgotten, a write is left without an answer. */
static void bury(unsigned i)
{
	struct recorder *c = &shared->recorders[i];
	uint64_t n = atomic_load(&c->count);
	struct record *r = &c->records[n];
	if (n == RECORDS_MAX || !atomic_load(&r->invoked))
		return;
	if (!atomic_load(&r->answered)) {
		if (r->verb != VERB_WRITE && r->verb != VERB_CREATE) {
			memset(r, 0, sizeof(*r));
			return;
		}
		memcpy(&r->sequence, c->batch, 8);
		r->died = true;
		atomic_store(&r->answered, now());
	}
	atomic_store(&c->count, n + 1);
}

static void kill_one(pid_t pid, unsigned i)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	if (i < processes)
		bury(i);
}

static bool has_stopped(pid_t pid)
{
	siginfo_t info = {0};
	if (waitid(P_PID, (id_t)pid, &info, WEXITED | WSTOPPED | WNOHANG | WNOWAIT) || !info.si_pid)
		return false;
	if (info.si_code != CLD_STOPPED)
		complain("a process", "ended by itself");
	return info.si_code == CLD_STOPPED;
}

static void kill_some(pid_t *pids, unsigned all)
{
	unsigned unlucky = random_below(3 * all);
	for (unsigned i = 0; i < all; i++)
		if (has_stopped(pids[i]) || i == unlucky) {
			kill_one(pids[i], i);
			pids[i] = spawn(i);
		}
}

static void one_life(uint64_t length_ms)
{
	pid_t pids[PROCESSES_MAX + FLUSHERS];
	unsigned all = processes + FLUSHERS;
	uint64_t end = now() + length_ms * 1000000;
	atomic_store(&shared->stop, false);
	for (unsigned i = 0; i < all; i++)
		pids[i] = spawn(i);
	while (now() < end && !atomic_load(&shared->wrong)) {
		usleep(random_below(6000));
		if (kills)
			kill_some(pids, all);
	}
	if (!kills)
		atomic_store(&shared->stop, true);
	for (unsigned i = 0; i < all; i++) {
		int status = 0;
		if (kills)
			kill_one(pids[i], i);
		else if (waitpid(pids[i], &status, 0) < 0 || status)
			complain("a process", "ended badly");
	}
}

/* ---------------------------------------------------------------- rounds */

/* Does it in a process of its own: the library keeps things for the life of a process. */
static void apart(void (*what)(void))
{
	int status;
	pid_t pid = fork_with_seed();
	if (!pid) {
		be(PROCESSES_MAX);
		what();
		_exit(0);
	}
	if (waitpid(pid, &status, 0) < 0 || status)
		complain("a process", "ended badly");
}

static void remove_memory(void)
{
	uint8_t token[TOKEN_SIZE];
	open_store(false);
	memcpy(token, db->control->token, TOKEN_SIZE);
	segments_remove(db, token);
	close_store();
}

static void look(void)
{
	struct lsm_scan_options o = {.reverse = random_below(2)};
	open_store(random_below(2));
	scan_with(&o, 0, KEYS);
	close_store();
}

static void remove_store(void)
{
	remove_memory();
	DIR *d = opendir(path);
	for (struct dirent *e; d && (e = readdir(d));)
		unlinkat(dirfd(d), e->d_name, 0);
	if (d)
		closedir(d);
	rmdir(path);
}

static void make_store(void)
{
	char name[sizeof(path) + 16];
	if (mkdir(path, 0777))
		fatal(strerror(errno));
	sprintf(name, "%s/lsm.conf", path);
	FILE *conf = fopen(name, "w");
	if (!conf || fputs("write_buffer_size = 64K\n", conf) < 0 || fclose(conf))
		fatal("lsm.conf");
	open_store(false);
	write_batch(0); /* number 1 is a write that was answered */
	close_store();
}

static void print_records(const struct recorder *c)
{
	uint64_t count = atomic_load(&c->count);
	for (const struct record *r = c->records; r < c->records + count; r++) {
		printf("%u %" PRIu64 " %s%" PRIu64 " %" PRIu64 " %s", (unsigned)(c - shared->recorders), r->invoked,
			r->died ? "~" : "", r->answered, r->sequence, verb_names[r->verb]);
		for (uint32_t i = 0; i < r->count; i++) {
			if (r->pairs[i].value)
				printf(" %" PRIu32 "=%" PRIu64, r->pairs[i].key, r->pairs[i].value);
			else
				printf(" %" PRIu32 "=-", r->pairs[i].key);
		}
		putchar('\n');
	}
}

static bool print_history(void)
{
	for (unsigned i = 0; i <= PROCESSES_MAX; i++)
		print_records(&shared->recorders[i]);
	printf("end\n");
	return fflush(stdout) == 0 && !ferror(stdout);
}

static bool one_round(void)
{
	if (madvise(shared->recorders, sizeof(shared->recorders), MADV_REMOVE)) /* all zero again */
		fatal("memory");
	apart(make_store);
	for (unsigned life = 0; life < (kills ? LIVES : 1) && !atomic_load(&shared->wrong); life++) {
		one_life(kills ? round_ms / LIVES : round_ms);
		apart(look);
		if (random_below(2))
			apart(remove_memory);
		apart(look);
	}
	apart(remove_store);
	return print_history();
}

static int usage(void)
{
	fprintf(stderr, "usage: history [-k] [-p PROCESSES] [-r ROUND_MS] [-s SEED] DIR SECONDS\n");
	return 2;
}

int main(int argc, char **argv)
{
	seed = (uint64_t)time(NULL) * 2654435761u + (uint64_t)getpid();
	for (int c; (c = getopt(argc, argv, "kp:r:s:")) != -1;) {
		if (c == 'k')
			kills = true;
		else if (c == 'p')
			processes = (unsigned)strtoul(optarg, NULL, 10);
		else if (c == 'r')
			round_ms = strtoull(optarg, NULL, 10);
		else if (c == 's')
			seed = strtoull(optarg, NULL, 10);
		else
			return usage();
	}
	if (argc - optind != 2 || !processes || processes >= PROCESSES_MAX)
		return usage();
	seed |= 1;
	fprintf(stderr, "%s: seed %" PRIu64 ", %u processes%s\n", program, seed, processes, kills ? ", kills" : "");
	snprintf(path, sizeof(path), "%s/store", argv[optind]);
	time_t end = time(NULL) + atoi(argv[optind + 1]);
	signal(SIGPIPE, SIG_IGN);
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (shared == MAP_FAILED)
		fatal("memory");
	bool printed = true;
	do
		printed = one_round();
	while (printed && time(NULL) < end && !atomic_load(&shared->wrong));
	fprintf(stderr, "%s: %" PRIu64 " tables flushed\n", program, atomic_load(&shared->tables));
	if (!printed)
		complain("standard output", strerror(errno));
	return atomic_load(&shared->wrong);
}
