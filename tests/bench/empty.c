/* SPDX-License-Identifier: MIT */
/* The floor under every one-shot command: built static and dynamic. */
int main(void)
{
	return 0;
}
