/* SPDX-License-Identifier: MIT */
#include "os/lock.h"

#include <errno.h>
#include <fcntl.h>

#include "base/status.h"

static int set(int fd, short type, uint64_t byte)
{
	struct flock fl = {.l_type = type, .l_whence = SEEK_SET, .l_start = (off_t)byte, .l_len = 1};
	int r;
	do
		r = fcntl(fd, F_OFD_SETLK, &fl);
	while (r < 0 && errno == EINTR);
	if (r == 0)
		return 0;
	return errno == EAGAIN || errno == EACCES ? SST_NO : fail_errno("cannot lock 'LOCK'");
}

int lock_try(int fd, uint64_t byte, enum lock_mode mode)
{
	return set(fd, mode == LOCK_SHARED ? F_RDLCK : F_WRLCK, byte);
}

void lock_drop(int fd, uint64_t byte)
{
	(void)set(fd, F_UNLCK, byte);
}

int lock_test(int fd, uint64_t byte, pid_t *pid)
{
	struct flock fl = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = (off_t)byte, .l_len = 1};
	if (fcntl(fd, F_OFD_GETLK, &fl) < 0)
		return fail_errno("cannot examine the locks of 'LOCK'");
	if (pid)
		*pid = fl.l_type == F_UNLCK || fl.l_pid < 0 ? 0 : fl.l_pid;
	return fl.l_type == F_UNLCK ? 0 : SST_NO;
}
