/* SPDX-License-Identifier: MIT */
/*
 * The write-ahead logs of a store that is being checked.
 *
 * Each is replayed as an attach would (replay.c says what is torn and what damage), into nothing. Held against it:
 *
 *     the notes of our records     none claims more durable bytes than stood before it
 *     the log before, the tables   sequence numbers rise; behind a torn end they go on without a hole. Between records
 *                                  of ours there is never a hole: a log between them is gone
 *     what a reader can answer for (check_readable.c)
 *     the shared memory            whole records up to its wal_tail; every change that readers may see is in the
 *                                  memtable, with its value, and the memtable has no others
 */
#include <stdlib.h>

#include "base/status.h"
#include "db/apply.h"
#include "db/check.h"
#include "wal/log.h"

struct one_log {
	struct check *c;
	uint64_t number, generation; /* 0: no memtable to compare with */
	char name[FILE_NAME_MAX];
	struct memtable *memtable;
	struct replayed r;
	bool failed, told; /* told: of an entry that cannot be read */
	bool ours;	  /* its first record has our note */
	uint64_t before, at; /* where the record begins and ends, if all so far are plain ones */
	uint64_t claimed, claimed_at; /* of the first note that claims too much */
	uint64_t records, changes; /* changes: that readers may see */
	char missing[160]; /* the first change that the memtable does not have */
};

/* ---- one record */

/* Where a record of n bytes ends that is appended behind offset `at`. */
static uint64_t framed_end(uint64_t at, uint64_t n)
{
	bool begun = false;
	while (n || !begun) {
		uint64_t room = LOG_BLOCK_SIZE - at % LOG_BLOCK_SIZE;
		if (room >= LOG_HEADER_SIZE) {
			uint64_t part = room - LOG_HEADER_SIZE < n ? room - LOG_HEADER_SIZE : n;
			begun = true;
			n -= part;
			at += LOG_HEADER_SIZE + part;
		} else {
			at += room;
		}
	}
	return at;
}

static int see_record(void *arg, uint64_t sequence, uint32_t count, uint64_t bytes)
{
	struct one_log *l = arg;
	(void)sequence;
	(void)count;
	l->records++;
	l->before = l->at;
	l->at = framed_end(l->at, bytes);
	return 0;
}

static void see_note(struct one_log *l, const struct batch_op *op)
{
	if (op->value.size != NOTE_SIZE || memcmp(op->value.data, NOTE_MAGIC, 4))
		return;
	uint64_t durable = load64(op->value.data + 4);
	l->ours |= l->records == 1;
	if (durable > l->before && !l->claimed) {
		l->claimed = durable;
		l->claimed_at = l->before;
	}
}

static int compare(struct one_log *l, const struct batch_op *op)
{
	const struct tree_record *found;
	uint8_t type = op->type == TYPE_SINGLE_DELETION ? TYPE_DELETION : op->type;
	int rc = tree_get(&l->memtable->tree, op->key, op->sequence, &found);
	if (rc == 0 && found->tag == tag_make(op->sequence, type) && slice_eq(tree_record_value(found), op->value))
		return 0;
	if (rc < 0)
		return rc;
	fail_key(SST_ECORRUPT, op->key, "change %llu of the log is not in the memtable", (unsigned long long)op->sequence);
	strncpy(l->missing, sst_errmsg(), sizeof(l->missing) - 1);
	return 0;
}

/* By id; those that were not asked for, or were dropped, are NULL. */
static struct check_family *family_of(struct check *c, uint32_t id)
{
	size_t low = 0, high = c->family_count;
	while (low < high) {
		size_t mid = low + (high - low) / 2;
		if (c->families[mid].version.family < id)
			low = mid + 1;
		else
			high = mid;
	}
	return low < c->family_count && c->families[low].version.family == id ? &c->families[low] : NULL;
}

static int see_contents(struct one_log *l, const struct batch_op *op)
{
	struct check_family *f = family_of(l->c, op->column_family);
	if (f && !l->told && (op->key.size > LSM_KEY_MAX || op->value.size > LSM_VALUE_MAX)) {
		l->told = true;
		check_say(l->c, LSM_FINDING_UNSUPPORTED, l->name, "entry with a key of %zu and a value of %zu bytes", op->key.size,
			op->value.size);
	}
	return check_readable(l->c, f, l->name, op->key, op->type, op->value, &l->told);
}

static int see_op(void *arg, const struct batch_op *op)
{
	struct one_log *l = arg;
	if (op->type == TYPE_LOG_DATA) {
		see_note(l, op);
		return 0;
	}
	int failed = see_contents(l, op);
	if (failed)
		return failed;
	if (!l->memtable || op->column_family || op->sequence > l->c->snapshot)
		return 0;
	l->changes++;
	if (l->missing[0])
		return 0;
	int rc = compare(l, op);
	if (rc < 0 && rc != SST_ENOMEM)
		strncpy(l->missing, sst_errmsg(), sizeof(l->missing) - 1);
	return rc == SST_ENOMEM ? rc : 0;
}

/* ---- one log */

static int replay(struct check *c, struct one_log *l)
{
	struct replay_sink sink = {see_record, see_op, l};
	int rc = wal_replay(c->db->dirfd, l->number, 0, &sink, &l->r);
	l->failed = rc != 0;
	if (rc)
		return check_failure(c, rc, l->name);
	if (l->claimed && l->at == l->r.good_end)
		check_say(c, LSM_FINDING_DAMAGE, l->name,
			"the record behind %llu says that %llu bytes before it were durable",
			(unsigned long long)l->claimed_at, (unsigned long long)l->claimed);
	if (l->missing[0])
		check_say(c, LSM_FINDING_DAMAGE, "shared memory", "'%s': %s", l->name, l->missing);
	if (l->r.torn && !c->live)
		check_say(c, LSM_FINDING_NOTE, l->name, "ends at %llu with %llu bytes of no whole record, which do not count",
			(unsigned long long)l->r.good_end, (unsigned long long)(l->r.file_size - l->r.good_end));
	return 0;
}

/* ---- the logs among each other */

static size_t next_with_records(const struct one_log *l, size_t count, size_t i)
{
	while (i < count && !l[i].records)
		i++;
	return i;
}

static void check_pair(struct check *c, const struct one_log *a, const struct one_log *b)
{
	if (b->r.first_sequence <= a->r.last_sequence)
		check_say(c, LSM_FINDING_DAMAGE, b->name, "its sequence numbers begin at %llu, those of '%s' end at %llu",
			(unsigned long long)b->r.first_sequence, a->name, (unsigned long long)a->r.last_sequence);
	else if (b->ours && a->r.last_sequence && b->r.first_sequence > a->r.last_sequence + 1)
		check_say(c, LSM_FINDING_DAMAGE, b->name, "changes %llu to %llu, before its first, are nowhere",
			(unsigned long long)a->r.last_sequence + 1, (unsigned long long)b->r.first_sequence - 1);
}

/* LevelDB does not care for what an unfinished log hides. */
static void check_hole(struct check *c, const struct one_log *a, const struct one_log *b)
{
	if (a->r.torn && !(a->records && a->r.last_sequence + 1 == b->r.first_sequence) && !c->families[0].version.leveldb)
		check_say(c, LSM_FINDING_DAMAGE, a->name, "ends unfinished at %llu, and '%s' goes on behind it",
			(unsigned long long)a->r.good_end, b->name);
}

static void check_sequence(struct check *c, const struct one_log *l, size_t count)
{
	const struct one_log tables = {.name = "the tables", .r.last_sequence = c->families[0].version.last_sequence};
	const struct one_log *before = &tables;
	for (size_t i = 0; i < count; i++) {
		if (l[i].failed)
			return; /* what comes behind it is no news */
		size_t next = next_with_records(l, count, i + 1);
		if (next < count && !l[next].failed)
			check_hole(c, &l[i], &l[next]);
		if (!l[i].records)
			continue;
		if (before != &tables || (l[i].ours && l[i].r.first_sequence > tables.r.last_sequence))
			check_pair(c, before, &l[i]);
		before = &l[i];
		if (!c->log_first) {
			c->log_first = l[i].r.first_sequence;
			c->log_first_number = l[i].number;
		}
		c->log_last = l[i].r.last_sequence;
	}
}

/* ---- the memtables */

/* Entries that readers may see, in order, each with its checksum. */
static int count_entries(struct check *c, const struct memtable *m, uint64_t *n)
{
	struct iter *it = memtable_iter_new(m, c->snapshot);
	if (!it)
		return fail_memory();
	int rc = iter_seek_first(it);
	for (*n = 0; !rc; rc = iter_next(it))
		++*n;
	iter_free(it);
	return rc == SST_NO ? 0 : rc;
}

static int check_generation(struct check *c, uint64_t n, uint64_t tail, const struct one_log *l, size_t count)
{
	uint64_t changes = 0, entries = 0, end = 0;
	struct memtable *m = NULL;
	const struct one_log *last = NULL;
	for (size_t i = 0; i < count; i++)
		if (l[i].generation == n) {
			if (l[i].failed)
				return 0;
			changes += l[i].changes;
			end += l[i].r.good_end;
			m = l[i].memtable;
			last = &l[i];
		}
	if (!last) {
		check_say(c, LSM_FINDING_DAMAGE, "shared memory", "the log of memtable %llu is gone", (unsigned long long)n);
		return 0;
	}
	if (end < tail)
		check_say(c, LSM_FINDING_DAMAGE, last->name, "its whole records end at %llu, %llu bytes were written",
			(unsigned long long)end, (unsigned long long)tail);
	if (!m || end < tail || last->missing[0])
		return 0;
	int rc = count_entries(c, m, &entries);
	if (rc == SST_ENOMEM)
		return rc;
	if (rc)
		check_say(c, LSM_FINDING_DAMAGE, "shared memory", "memtable %llu: %s", (unsigned long long)n, sst_errmsg());
	else if (entries != changes)
		check_say(c, LSM_FINDING_DAMAGE, "shared memory", "memtable %llu has %llu entries, its log %llu changes",
			(unsigned long long)n, (unsigned long long)entries, (unsigned long long)changes);
	return 0;
}

/* The memtable that has the log: after a rebuild one may have several, of which it knows the first. */
static uint64_t generation_of(struct check *c, uint64_t log)
{
	uint64_t n = c->view.active;
	while (n > c->view.oldest && control_generation(c->db->control, n)->wal_number > log)
		n--;
	return n;
}

/* ---- all of them */

uint64_t check_log_minimum(const struct check *c)
{
	const struct version *v = &c->families[0].version;
	uint64_t minimum = v->families[0].log_number;
	for (size_t i = 1; i < v->family_count; i++)
		if (v->families[i].log_number < minimum)
			minimum = v->families[i].log_number;
	return minimum > v->min_log_number ? minimum : v->min_log_number;
}

static int prepare(struct check *c, struct one_log *l, uint64_t number)
{
	*l = (struct one_log){.c = c, .number = number};
	file_name(l->name, FILE_WAL, number);
	if (!c->live)
		return 0;
	l->generation = generation_of(c, number);
	int rc = check_memory_open(c, l->generation, &l->memtable);
	if (rc)
		l->memtable = NULL;
	return rc == SST_NO ? 0 : rc;
}

/* The newest first, as in private.c. The tails are those of before: what comes meanwhile is more, not less. */
static int check_each(struct check *c, const struct logs *found, struct one_log *l)
{
	uint64_t tails[RING] = {0};
	int rc = 0;
	for (uint64_t n = c->view.oldest; c->live && n <= c->view.active; n++)
		tails[n % RING] = atomic_load_explicit(&control_generation(c->db->control, n)->wal_tail, memory_order_acquire);
	for (size_t i = found->count; i-- > 0 && !rc;) {
		rc = prepare(c, &l[i], found->numbers[i]);
		if (!rc)
			rc = replay(c, &l[i]);
	}
	if (!rc && !c->alone)
		check_sequence(c, l, found->count);
	for (uint64_t n = c->view.oldest; c->live && n <= c->view.active && !rc; n++)
		rc = check_generation(c, n, tails[n % RING], l, found->count);
	return rc;
}

static int keep_reads(struct check *c, const struct one_log *l, size_t count)
{
	free(c->log_reads);
	c->log_read_count = 0;
	c->log_reads = calloc(count + 1, sizeof(*c->log_reads));
	if (!c->log_reads)
		return fail_memory();
	for (size_t i = 0; i < count; i++)
		c->log_reads[c->log_read_count++] = (struct check_log_read){.number = l[i].number, .records = l[i].records,
			.bytes = l[i].r.file_size, .failed = l[i].failed};
	return 0;
}

void check_logs_tell(struct check *c)
{
	for (size_t i = 0; i < c->log_read_count; i++) {
		const struct check_log_read *r = &c->log_reads[i];
		char name[FILE_NAME_MAX];
		struct lsm_finding f = {.kind = LSM_FINDING_FILE, .file = file_name(name, FILE_WAL, r->number),
			.read = {.damages = r->failed, .entries = r->records, .bytes = r->bytes}};
		c->stats->logs++;
		c->stats->records += r->records;
		c->stats->bytes += r->bytes;
		check_give(c, &f);
	}
}

int check_logs(struct check *c)
{
	struct version v = {0};
	struct logs found;
	if (!c->alone) {
		v.log_number = check_log_minimum(c);
		v.prev_log_number = c->families[0].version.prev_log_number;
	}
	int rc = logs_find(c->db, &v, &found);
	struct one_log *l = rc ? NULL : calloc(found.count + 1, sizeof(*l));
	if (!rc && !l)
		rc = fail_memory();
	if (!rc)
		rc = check_each(c, &found, l);
	if (!rc)
		rc = keep_reads(c, l, found.count);
	free(l);
	logs_release(&found);
	return rc;
}
