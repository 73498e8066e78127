/* SPDX-License-Identifier: MIT */
#include "os/event.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <sched.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/status.h"
#include "os/file.h"

void event_wait(_Atomic uint32_t *word, uint32_t seen, int64_t timeout_ms)
{
	struct timespec ts = {timeout_ms / 1000, timeout_ms % 1000 * 1000000};
	syscall(SYS_futex, word, FUTEX_WAIT, seen, timeout_ms < 0 ? NULL : &ts, NULL, 0);
}

void event_wake(_Atomic uint32_t *word, int count)
{
	syscall(SYS_futex, word, FUTEX_WAKE, count, NULL, NULL, 0);
}

static uint64_t now(clockid_t clock)
{
	struct timespec ts;
	clock_gettime(clock, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

uint64_t clock_monotonic_ns(void)
{
	return now(CLOCK_MONOTONIC);
}

uint64_t clock_tick_ns(void)
{
	return now(CLOCK_MONOTONIC_COARSE);
}

uint64_t clock_boot_ns(void)
{
	return now(CLOCK_BOOTTIME);
}

uint64_t clock_real_ns(void)
{
	return now(CLOCK_REALTIME);
}

void sleep_ms(unsigned ms)
{
	struct timespec ts = {ms / 1000, ms % 1000 * 1000000L};
	nanosleep(&ts, NULL);
}

void cpu_yield(void)
{
	sched_yield();
}

int random_bytes(void *p, size_t n)
{
	uint8_t *b = p;
	while (n) {
		ssize_t r = getrandom(b, n, 0);
		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return fail_errno("cannot get random bytes");
		b += r;
		n -= (size_t)r;
	}
	return 0;
}

static int hex_digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int boot_id(uint8_t id[16])
{
	static const char name[] = "/proc/sys/kernel/random/boot_id";
	char text[36]; /* hex digits and hyphens */
	int fd, rc = file_open(&fd, AT_FDCWD, name, O_RDONLY, 0);
	if (!rc)
		rc = file_read(fd, 0, text, sizeof(text), name);
	file_close(&fd);
	if (rc)
		return rc;
	unsigned k = 0;
	for (size_t i = 0; i + 1 < sizeof(text) && k < 16; i++) {
		int h = hex_digit(text[i]), l = hex_digit(text[i + 1]);
		if (h < 0 || l < 0)
			continue;
		id[k++] = (uint8_t)(h << 4 | l);
		i++;
	}
	return k < 16 ? fail(SST_EIO, "cannot read the boot id") : 0;
}
