/* SPDX-License-Identifier: MIT */
/* Waiting on a word of shared memory (futex), and the clocks. */
#ifndef OS_EVENT_H
#define OS_EVENT_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

/* Sleeps while *word == seen, at most timeout_ms (< 0: until woken). May return early for any reason. */
void event_wait(_Atomic uint32_t *word, uint32_t seen, int64_t timeout_ms);
void event_wake(_Atomic uint32_t *word, int count);

uint64_t clock_monotonic_ns(void); /* since boot, not counting sleep: for time-outs */
uint64_t clock_tick_ns(void);	   /* the same, as of the last tick (some ms): costs next to nothing */
uint64_t clock_boot_ns(void);	   /* since boot: for the age of what is in shared memory */
uint64_t clock_real_ns(void);	   /* since 1970; may jump: compare with file times only */
void sleep_ms(unsigned ms);
void cpu_yield(void); /* lets others run first that can */

/* n random bytes that nobody can guess. */
int random_bytes(void *p, size_t n);
/* The 16 bytes that are other ones after each boot. */
int boot_id(uint8_t id[16]);

#endif
