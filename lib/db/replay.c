/* SPDX-License-Identifier: MIT */
/*
 * Reading a write-ahead log back
 *
 * What stands behind the last whole record is either torn - the rest of a write that nobody was told is durable, to be
 * dropped - or damage, never to be dropped in silence. A checksum alone cannot tell, because a power cut may lose an
 * early sector of an unsynced stretch and keep a later one, so a good record may follow a bad one in either case.
 *
 * Each record therefore begins with a note: log data (which changes nothing, and which RocksDB passes over) of
 * "lsm\1" and eight bytes, the number of bytes of this log that were known durable when the record was written. If a good
 * record behind the trouble says that the place of the trouble was durable, acknowledged data is gone: damage. If it
 * does not, nothing acknowledged stood there: torn. A good record without a note (RocksDB's) speaks for damage.
 *
 * Nothing behind: torn. A bit that flips in the very last acknowledged record can thus pass for a torn write while no
 * shared memory is there to say how long the log was; that is what the format of LevelDB and RocksDB allows.
 */
#include <fcntl.h>

#include "base/status.h"
#include "db/store.h"
#include "os/event.h"
#include "wal/log.h"

/* The durable length that a record's note tells; SST_NO without a note. */
static int note_of(struct sst_slice record, uint64_t *durable)
{
	struct batch_iter it;
	struct batch_op op;
	if (batch_iter_init(&it, record) || batch_iter_next(&it, &op) || op.type != TYPE_LOG_DATA ||
		op.value.size != NOTE_SIZE || memcmp(op.value.data, NOTE_MAGIC, 4))
		return SST_NO;
	*durable = load64(op.value.data + 4);
	return 0;
}

/* What a whole record behind the trouble at `bad` says of it: 0: that it was not durable. */
static int judge_record(struct sst_slice record, uint64_t at, uint64_t bad, const char *name)
{
	uint64_t durable;
	if (note_of(record, &durable) == SST_NO)
		return fail(SST_ECORRUPT, "'%s': bad record at %llu, and a good one behind it at %llu", name,
			(unsigned long long)bad, (unsigned long long)at);
	if (durable > bad)
		return fail(SST_ECORRUPT, "'%s': bad record at %llu, in the part that was durable (%llu bytes)", name,
			(unsigned long long)bad, (unsigned long long)durable);
	return 0;
}

/* The log is bad at `bad`. 0: a torn end. Every whole record behind it is asked; there may be further trouble
 * between them. */
static int judge(struct log_reader *log, uint64_t bad, const char *name)
{
	int rc;
	while ((rc = log_reader_resync(log)) == 0) {
		struct sst_slice record;
		while ((rc = log_reader_next(log, &record)) == 0) {
			rc = judge_record(record, log->record_offset, bad, name);
			if (rc)
				return rc;
		}
		if (rc == SST_NO && log->end == LOG_END_CLEAN)
			return 0;
		if (rc != SST_NO && rc != SST_ECORRUPT)
			break;
	}
	return rc == SST_NO ? 0 : fail_in(rc, "cannot read '%s'", name);
}

static int give_record(const struct replay_sink *sink, struct sst_slice record, struct replayed *r)
{
	struct batch_iter it;
	struct batch_op op;
	int rc = batch_iter_init(&it, record);
	if (rc)
		return rc;
	uint64_t first = it.sequence;
	if (r->last_sequence && first <= r->last_sequence)
		return fail(SST_ECORRUPT, "sequence number %llu after %llu", (unsigned long long)first,
			(unsigned long long)r->last_sequence);
	rc = sink->record(sink->arg, first, it.count, record.size);
	while (!rc) {
		rc = batch_iter_next(&it, &op);
		if (!rc)
			rc = sink->op(sink->arg, &op);
	}
	if (rc != SST_NO)
		return rc;
	if (!r->records++)
		r->first_sequence = first;
	if (it.count)
		r->last_sequence = first + it.count - 1;
	return 0;
}

static int replay(struct log_reader *log, const struct replay_sink *sink, struct replayed *r, const char *name)
{
	struct sst_slice record;
	int rc;
	while ((rc = log_reader_next(log, &record)) == 0) {
		rc = give_record(sink, record, r);
		if (rc)
			return fail_in(rc, "'%s': record at %llu", name, (unsigned long long)log->record_offset);
	}
	r->good_end = log->good_end;
	r->plain = log->first_type <= 4;
	if (rc == SST_NO && log->end == LOG_END_CLEAN) {
		r->torn = r->file_size > r->good_end;
		return 0;
	}
	if (rc != SST_NO && rc != SST_ECORRUPT)
		return fail_in(rc, "cannot read '%s'", name);
	r->torn = true;
	return judge(log, log->bad_offset, name);
}

int wal_replay(int dirfd, uint64_t number, uint64_t from, const struct replay_sink *sink, struct replayed *r)
{
	char name[FILE_NAME_MAX];
	struct file_source source;
	struct log_reader log;
	struct file_id id;
	*r = (struct replayed){0};
	int fd, rc = file_open_id(&fd, &id, dirfd, file_name(name, FILE_WAL, number), O_RDONLY, 0);
	if (rc)
		return rc;
	if (id.size < from)
		rc = fail(SST_ECORRUPT, "'%s' has %llu bytes, %llu were written", name, (unsigned long long)id.size,
			(unsigned long long)from);
	if (!rc) {
		uint64_t made = id.birth_ns ? id.birth_ns : id.mtime_ns, now = clock_real_ns();
		r->file_size = id.size;
		r->age_ns = now > made ? now - made : 0;
		file_source_init(&source, fd, id.size, name);
		log_reader_init(&log, &source.source, number, from);
		rc = replay(&log, sink, r, name);
		log_reader_release(&log);
	}
	file_close(&fd);
	return rc;
}
