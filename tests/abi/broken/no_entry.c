/* SPDX-License-Identifier: Apache-2.0 */
/* A shared object, but no driver. */
int not_a_driver(void);

int not_a_driver(void)
{
    return 0;
}
