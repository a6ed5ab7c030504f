/* SPDX-License-Identifier: Apache-2.0 */
/* The most common passwords that are 12 characters or longer: the shorter ones fail by their length. */
#include <string.h>

#include <polyvisor/cleanup.h>

#include "server/auth/inside.h"

static const char *const common[] = {
    "123456789012", "1234567890123", "12345678901234", "123456789012345", "1234567890123456", "12345678910",
    "123456789101", "1234567891011", "123456789123", "123456123456", "123123123123", "111111111111",
    "000000000000", "121212121212", "112233445566", "987654321098", "1q2w3e4r5t6y", "1q2w3e4r5t6y7u8i",
    "1qaz2wsx3edc", "1qaz2wsx3edc4rfv", "qwertyuiop12", "qwertyuiop123", "qwertyuiop[]", "qwertyuiopas",
    "qwertyuiopasdfghjkl", "qwerty123456", "qwerty12345678", "qwertyqwerty", "qazwsxedcrfv", "asdfghjkl123",
    "zaq12wsxcde3", "abcdefghijkl", "abcdefghijklm", "abcd12345678", "abc123abc123", "abcdefg12345",
    "password1234", "password12345", "password123456", "passwordpassword", "password123!", "Password1234",
    "Password123!", "Passw0rd1234", "Passw0rd123!", "P@ssw0rd1234", "P@ssw0rd123!", "P@ssword1234",
    "changeme1234", "changeme123!", "changemenow!", "administrator", "administrator1", "admin1234567",
    "administrator123", "adminadmin12", "adminadminadmin", "letmein12345", "letmeinplease", "welcome12345",
    "Welcome12345", "welcome123456", "iloveyou1234", "iloveyou12345", "iloveyouforever", "unbelievable",
    "correcthorsebatterystaple", "correct horse battery staple", "monkey123456", "dragon123456", "football1234",
    "baseball1234", "sunshine1234", "superman1234", "princess1234", "trustno1trustno1", "thisisapassword",
    "mypassword123", "mypassword12", "vmware123456", "VMware123456", "VMware1!VMware1!", "hypervisor123",
    "polyvisor123", "polyvisor1234", "polyvisorpolyvisor", "secret123456", "test12345678", "testtesttest",
    "summer2024!!", "winter2024!!", "1234abcd1234", "a1b2c3d4e5f6", "aaaaaaaaaaaa", "q1w2e3r4t5y6",
};

bool password_is_common(const char *password)
{
    for (size_t i = 0; i < PV_COUNT(common); i++) {
        if (strcasecmp(password, common[i]) == 0)
            return true;
    }
    return false;
}
