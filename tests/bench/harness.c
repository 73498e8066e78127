/* SPDX-License-Identifier: MIT */
/*
 * lib_ENGINE VERB --dir DIR [options]: one measurement of a library, printed as "name value" lines.
 *
 *   write    RECORDS puts by WORKERS in batches of BATCH, --sync: each durable before the next
 *   fill     TABLES tables of RECORDS/TABLES random records each, for the verbs below; --merge: into one
 *   flush    fill a memtable with RECORDS, then time how long it takes to a durable table
 *   get      GETS point gets of keys that are there, after as many that are not timed
 *   miss     the same of keys that are not
 *   scan     every record
 *   build    one durable table from RECORDS in order
 *   compact  everything into one
 *   memtable RECORDS puts without a log where the engine can, then GETS gets that hit and as many that miss,
 *            all in memory; printed: insert_ns, hit_ns, miss_ns of one
 *
 * Printed: wall_ns, cpu_ns (user + system of every thread and writer, while the clock ran), ops, bytes (raw: keys
 * and values). Making the records and opening the store is never timed. Exit 77: the engine has no such verb.
 */
#include "engine.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { SKIPPED = 77, WORKERS_MAX = 64 };

volatile uint64_t bench_sink;

struct arguments {
	struct setup setup;
	size_t records, batch, gets, tables;
	unsigned workers;
	bool sync, merge;
};

/* What the writers and the one who holds the clock share. */
struct shared {
	pthread_barrier_t start;
	int64_t start_ns[WORKERS_MAX], end_ns[WORKERS_MAX], cpu_ns[WORKERS_MAX];
};

struct worker {
	const struct arguments *args;
	struct shared *shared;
	const struct record *records; /* its own share */
	size_t count;
	unsigned index;
	void *db; /* NULL: opens its own */
	pthread_t thread;
	pid_t child;
};

struct clock {
	int64_t wall_ns, cpu_ns;
};

void bench_die(const char *what, const char *why)
{
	fprintf(stderr, "%s: %s\n", what, why);
	_exit(3); /* the threads of the engine may be at work */
}

static int64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int64_t cpu_now_ns(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return ((int64_t)u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000000000 +
	       ((int64_t)u.ru_utime.tv_usec + u.ru_stime.tv_usec) * 1000;
}

static struct clock clock_start(void)
{
	return (struct clock){now_ns(), cpu_now_ns()};
}

static struct clock clock_stop(struct clock start)
{
	return (struct clock){now_ns() - start.wall_ns, cpu_now_ns() - start.cpu_ns};
}

static int report(struct clock spent, uint64_t ops, uint64_t bytes)
{
	printf("wall_ns %" PRId64 "\ncpu_ns %" PRId64 "\nops %" PRIu64 "\nbytes %" PRIu64 "\n", spent.wall_ns,
		spent.cpu_ns, ops, bytes);
	return fflush(stdout) ? 3 : 0;
}

static struct record *need_records(uint64_t seed, size_t count)
{
	struct record *all = records_make(seed, count);

	if (!all)
		bench_die("records", "no memory");
	return all;
}

static void *open_store(const struct arguments *a, bool create)
{
	struct setup setup = a->setup;

	setup.create = create;
	return engine.open(&setup);
}

/* ---------------------------------------------------------------- write */

static void *worker_run(void *arg)
{
	struct worker *w = arg;
	const struct arguments *a = w->args;
	void *db = w->db ? w->db : open_store(a, false);

	pthread_barrier_wait(&w->shared->start);
	const int64_t cpu = cpu_now_ns();
	w->shared->start_ns[w->index] = now_ns();
	for (size_t done = 0; done < w->count; done += a->batch) {
		const size_t left = w->count - done;

		engine.write(db, w->records + done, left < a->batch ? left : a->batch, a->sync);
	}
	w->shared->end_ns[w->index] = now_ns();
	w->shared->cpu_ns[w->index] = cpu_now_ns() - cpu;
	if (!w->db)
		engine.close(db);
	return NULL;
}

static void worker_start(struct worker *w)
{
	if (w->db) {
		if (pthread_create(&w->thread, NULL, worker_run, w))
			bench_die("thread", "cannot be made");
		return;
	}
	w->child = fork();
	if (w->child < 0)
		bench_die("fork", strerror(errno));
	if (w->child == 0) {
		worker_run(w);
		_exit(0);
	}
}

static void worker_join(struct worker *w)
{
	int status;

	if (w->db)
		pthread_join(w->thread, NULL);
	else if (waitpid(w->child, &status, 0) != w->child || status)
		bench_die("writer", "failed");
}

static struct shared *shared_new(unsigned parties)
{
	struct shared *s = mmap(NULL, sizeof(*s), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pthread_barrierattr_t attr;

	if (s == MAP_FAILED || pthread_barrierattr_init(&attr) ||
	    pthread_barrierattr_setpshared(&attr, PTHREAD_PROCESS_SHARED) ||
	    pthread_barrier_init(&s->start, &attr, parties))
		bench_die("barrier", strerror(errno));
	pthread_barrierattr_destroy(&attr);
	return s;
}

/* From the first start to the last end. thread_cpu_ns: what the process spent when the writers are threads of it. */
static struct clock writers_clock(const struct shared *s, unsigned workers, int64_t thread_cpu_ns)
{
	int64_t start = s->start_ns[0], end = s->end_ns[0], cpu = 0;

	for (unsigned i = 0; i < workers; i++) {
		start = s->start_ns[i] < start ? s->start_ns[i] : start;
		end = s->end_ns[i] > end ? s->end_ns[i] : end;
		cpu += s->cpu_ns[i];
	}
	return (struct clock){end - start, thread_cpu_ns ? thread_cpu_ns : cpu};
}

/* Threads share a handle, and its background threads' time counts; processes report their own. */
static int verb_write(const struct arguments *a)
{
	struct record *records = need_records(SEED_STORED, a->records);
	struct worker workers[WORKERS_MAX] = {0};
	struct shared *shared = shared_new(a->workers + 1);
	void *db = open_store(a, true);

	if (engine.processes) {
		engine.close(db); /* made; no handle may cross a fork */
		db = NULL;
	}
	for (unsigned i = 0; i < a->workers; i++) {
		const size_t from = a->records * i / a->workers, to = a->records * (i + 1) / a->workers;

		workers[i] = (struct worker){a, shared, records + from, to - from, i, db, 0, 0};
		worker_start(&workers[i]);
	}
	const int64_t cpu = cpu_now_ns(); /* of threads, which wait now; the time of processes is in shared */
	pthread_barrier_wait(&shared->start);
	for (unsigned i = 0; i < a->workers; i++)
		worker_join(&workers[i]);
	const struct clock spent = writers_clock(shared, a->workers, db ? cpu_now_ns() - cpu : 0);
	if (db)
		engine.close(db);
	const int rc = report(spent, a->records, records_bytes(records, a->records));
	free(records);
	munmap(shared, sizeof(*shared));
	return rc;
}

/* ---------------------------------------------------------------- stores for the other verbs */

static void fill(void *db, const struct record *records, size_t count)
{
	enum { BATCH = 1000 };

	for (size_t done = 0; done < count; done += BATCH)
		engine.write(db, records + done, count - done < BATCH ? count - done : BATCH, false);
}

static int verb_fill(const struct arguments *a)
{
	struct record *records = need_records(SEED_STORED, a->records);
	void *db = open_store(a, true);
	const struct clock start = clock_start();

	for (size_t i = 0; i < a->tables; i++) {
		const size_t from = a->records * i / a->tables, to = a->records * (i + 1) / a->tables;

		fill(db, records + from, to - from);
		if (engine.flush)
			engine.flush(db);
	}
	if (a->merge && engine.compact)
		engine.compact(db);
	const struct clock spent = clock_stop(start);
	engine.close(db);
	const int rc = report(spent, a->records, records_bytes(records, a->records));
	free(records);
	return rc;
}

static int verb_flush(const struct arguments *a)
{
	if (!engine.flush)
		return SKIPPED;
	struct record *records = need_records(SEED_STORED, a->records);
	const uint64_t bytes = records_bytes(records, a->records);
	void *db = open_store(a, true);

	fill(db, records, a->records);
	free(records);
	sync(); /* the log's pages: not what is measured */
	const struct clock start = clock_start();
	engine.flush(db);
	const struct clock spent = clock_stop(start);
	engine.close(db);
	return report(spent, a->records, bytes);
}

static int verb_compact(const struct arguments *a)
{
	if (!engine.compact)
		return SKIPPED;
	void *db = open_store(a, false);

	sync();
	const struct clock start = clock_start();
	engine.compact(db);
	const struct clock spent = clock_stop(start);
	engine.close(db);

	struct record *records = need_records(SEED_STORED, a->records);
	const int rc = report(spent, a->records, records_bytes(records, a->records));
	free(records);
	return rc;
}

static int verb_build(const struct arguments *a)
{
	if (!engine.build)
		return SKIPPED;
	struct record *records = need_records(SEED_STORED, a->records);

	qsort(records, a->records, sizeof(*records), record_compare);
	const struct clock start = clock_start();
	engine.build(&a->setup, records, a->records);
	const int rc = report(clock_stop(start), a->records, records_bytes(records, a->records));
	free(records);
	return rc;
}

/* ---------------------------------------------------------------- reading */

static uint64_t get_all(void *db, const struct record *queries, size_t count)
{
	uint64_t found = 0;

	for (size_t i = 0; i < count; i++)
		found += engine.get(db, queries[i].key, queries[i].key_size);
	return found;
}

static int time_gets(const struct arguments *a, const struct record *queries, uint64_t expected)
{
	void *db = open_store(a, false);

	if (get_all(db, queries, a->gets) != expected)
		bench_die("get", "wrong answers while warming up");
	const struct clock start = clock_start();
	const uint64_t found = get_all(db, queries, a->gets);
	const struct clock spent = clock_stop(start);
	if (found != expected)
		bench_die("get", "wrong answers");
	engine.close(db);
	return report(spent, a->gets, 0);
}

static int verb_get(const struct arguments *a)
{
	struct record *queries = need_records(SEED_STORED, a->gets);

	for (size_t i = 0; i < a->gets; i++)
		record_make(&queries[i], SEED_STORED, mix(i) % a->records);
	const int rc = time_gets(a, queries, a->gets);
	free(queries);
	return rc;
}

static int verb_miss(const struct arguments *a)
{
	struct record *queries = need_records(SEED_ABSENT, a->gets);
	const int rc = time_gets(a, queries, 0);

	free(queries);
	return rc;
}

static int verb_scan(const struct arguments *a)
{
	if (!engine.scan)
		return SKIPPED;
	void *db = open_store(a, false);

	engine.scan(db); /* into the page cache */
	const struct clock start = clock_start();
	const uint64_t seen = engine.scan(db);
	const struct clock spent = clock_stop(start);
	if (seen != a->records)
		bench_die("scan", "wrong number of records");
	engine.close(db);
	return report(spent, seen, 0);
}

static int verb_memtable(const struct arguments *a)
{
	struct record *records = need_records(SEED_STORED, a->records);
	struct record *absent = need_records(SEED_ABSENT, a->gets);
	struct record *present = need_records(SEED_STORED, a->gets);
	void *db = open_store(a, true);

	for (size_t i = 0; i < a->gets; i++)
		present[i] = records[mix(i) % a->records];
	struct clock start = clock_start();
	for (size_t i = 0; i < a->records; i++)
		engine.write(db, &records[i], 1, false);
	printf("insert_ns %" PRId64 "\n", clock_stop(start).wall_ns / (int64_t)a->records);

	start = clock_start();
	const uint64_t hits = get_all(db, present, a->gets);
	printf("hit_ns %" PRId64 "\n", clock_stop(start).wall_ns / (int64_t)a->gets);

	start = clock_start();
	const uint64_t wrong = get_all(db, absent, a->gets);
	printf("miss_ns %" PRId64 "\n", clock_stop(start).wall_ns / (int64_t)a->gets);
	if (hits != a->gets || wrong)
		bench_die("memtable", "wrong answers");
	engine.close(db);
	free(records);
	free(absent);
	free(present);
	return fflush(stdout) ? 3 : 0;
}

/* ---------------------------------------------------------------- arguments */

static const struct verb {
	const char *name;
	int (*run)(const struct arguments *a);
} verbs[] = {
	{"write", verb_write}, {"fill", verb_fill}, {"flush", verb_flush},     {"get", verb_get},
	{"miss", verb_miss},   {"scan", verb_scan}, {"compact", verb_compact}, {"build", verb_build},
	{"memtable", verb_memtable},
};

static void parse(int argc, char **argv, struct arguments *a)
{
	enum { DIR = 1, RECORDS, BATCH, GETS, TABLES, WORKERS, SYNC, MERGE, NO_WAL, COMPRESS, BLOCK, MEMTABLE, CACHE, PARALLEL };
	static const struct option options[] = {
		{"dir", required_argument, NULL, DIR}, {"records", required_argument, NULL, RECORDS},
		{"batch", required_argument, NULL, BATCH}, {"gets", required_argument, NULL, GETS},
		{"tables", required_argument, NULL, TABLES}, {"workers", required_argument, NULL, WORKERS},
		{"sync", no_argument, NULL, SYNC}, {"merge", no_argument, NULL, MERGE},
		{"no-wal", no_argument, NULL, NO_WAL}, {"compress", no_argument, NULL, COMPRESS},
		{"block-size", required_argument, NULL, BLOCK}, {"memtable", required_argument, NULL, MEMTABLE},
		{"cache", required_argument, NULL, CACHE}, {"parallel", required_argument, NULL, PARALLEL},
		{NULL, 0, NULL, 0},
	};

	for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
		const size_t number = optarg ? (size_t)strtoull(optarg, NULL, 10) : 0;

		switch (option) {
		case DIR: a->setup.dir = optarg; break;
		case RECORDS: a->records = number; break;
		case BATCH: a->batch = number; break;
		case GETS: a->gets = number; break;
		case TABLES: a->tables = number; break;
		case WORKERS: a->workers = (unsigned)number; break;
		case SYNC: a->sync = true; break;
		case MERGE: a->merge = true; break;
		case NO_WAL: a->setup.wal = false; break;
		case COMPRESS: a->setup.compress = true; break;
		case BLOCK: a->setup.block_size = number; break;
		case MEMTABLE: a->setup.memtable = number; break;
		case CACHE: a->setup.cache = number; break;
		case PARALLEL: a->setup.parallel = (unsigned)number; break;
		default: exit(2);
		}
	}
	if (!a->setup.dir || !a->records || !a->batch || !a->tables || !a->workers || a->workers > WORKERS_MAX)
		bench_die("usage", "lib_ENGINE VERB --dir DIR --records N [options]");
	if (mkdir(a->setup.dir, 0755) && errno != EEXIST)
		bench_die(a->setup.dir, strerror(errno));
}

int main(int argc, char **argv)
{
	struct arguments a = {
		.setup = {.wal = true, .block_size = 16384, .memtable = (size_t)1 << 30, .parallel = 1},
		.batch = 1,
		.gets = 100000,
		.tables = 1,
		.workers = 1,
	};

	for (size_t i = 0; argc > 1 && i < sizeof(verbs) / sizeof(*verbs); i++) {
		if (!strcmp(verbs[i].name, argv[1])) {
			parse(argc - 1, argv + 1, &a);
			return verbs[i].run(&a);
		}
	}
	bench_die("usage", "lib_ENGINE write|fill|flush|get|miss|scan|compact|build|memtable --dir DIR --records N [options]");
}
