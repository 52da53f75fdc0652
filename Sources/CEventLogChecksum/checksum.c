#include "CEventLogChecksum.h"

#include <stdatomic.h>
#include <string.h>

#if defined(__aarch64__)
#include <arm_acle.h>
#if defined(__linux__)
#include <sys/auxv.h>
#endif
#elif defined(__x86_64__)
#include <nmmintrin.h>
#endif

// Reflected polynomial of CRC-32C (RFC 3720, appendix B.4).
#define POLYNOMIAL 0x82f63b78u

static uint32_t table[8][256];
static atomic_int table_ready = 0;

// Two threads may fill the table at once; both write the same values, and readers wait for the flag.
static void fill_table(void) {
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t value = i;
        for (int bit = 0; bit < 8; bit++) {
            value = (value >> 1) ^ (POLYNOMIAL & (0u - (value & 1u)));
        }
        __atomic_store_n(&table[0][i], value, __ATOMIC_RELAXED);
    }
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t value = __atomic_load_n(&table[0][i], __ATOMIC_RELAXED);
        for (int slice = 1; slice < 8; slice++) {
            value = (value >> 8) ^ __atomic_load_n(&table[0][value & 0xff], __ATOMIC_RELAXED);
            __atomic_store_n(&table[slice][i], value, __ATOMIC_RELAXED);
        }
    }
    atomic_store_explicit(&table_ready, 1, memory_order_release);
}

static uint32_t by_table(uint32_t crc, const uint8_t *bytes, size_t length) {
    if (!atomic_load_explicit(&table_ready, memory_order_acquire)) {
        fill_table();
    }
    while (length >= 8) {
        uint32_t low = crc ^ ((uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 |
                              (uint32_t)bytes[3] << 24);
        crc = table[7][low & 0xff] ^ table[6][(low >> 8) & 0xff] ^ table[5][(low >> 16) & 0xff] ^
              table[4][low >> 24] ^ table[3][bytes[4]] ^ table[2][bytes[5]] ^ table[1][bytes[6]] ^
              table[0][bytes[7]];
        bytes += 8;
        length -= 8;
    }
    while (length--) {
        crc = table[0][(crc ^ *bytes++) & 0xff] ^ (crc >> 8);
    }
    return crc;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) static uint32_t by_instruction(uint32_t crc, const uint8_t *bytes, size_t length) {
    uint64_t wide = crc;
    while (length >= 8) {
        uint64_t word;
        memcpy(&word, bytes, 8);
        wide = _mm_crc32_u64(wide, word);
        bytes += 8;
        length -= 8;
    }
    crc = (uint32_t)wide;
    while (length--) {
        crc = _mm_crc32_u8(crc, *bytes++);
    }
    return crc;
}

static int has_instruction(void) { return __builtin_cpu_supports("sse4.2"); }
#elif defined(__aarch64__)
__attribute__((target("crc"))) static uint32_t by_instruction(uint32_t crc, const uint8_t *bytes, size_t length) {
    while (length >= 8) {
        uint64_t word;
        memcpy(&word, bytes, 8);
        crc = __crc32cd(crc, word);
        bytes += 8;
        length -= 8;
    }
    while (length--) {
        crc = __crc32cb(crc, *bytes++);
    }
    return crc;
}

static int has_instruction(void) {
#if defined(__linux__)
    return (getauxval(AT_HWCAP) & (1 << 7)) != 0;
#else
    return 1;
#endif
}
#else
static uint32_t by_instruction(uint32_t crc, const uint8_t *bytes, size_t length) {
    return by_table(crc, bytes, length);
}
static int has_instruction(void) { return 0; }
#endif

uint32_t event_log_crc32c_table(uint32_t seed, const void *bytes, size_t length) {
    return ~by_table(~seed, bytes, length);
}

uint32_t event_log_crc32c(uint32_t seed, const void *bytes, size_t length) {
    // 0 unknown, 1 instruction, 2 table; a race only asks the processor twice.
    static atomic_int choice = 0;
    int chosen = atomic_load_explicit(&choice, memory_order_relaxed);
    if (chosen == 0) {
        chosen = has_instruction() ? 1 : 2;
        atomic_store_explicit(&choice, chosen, memory_order_relaxed);
    }
    return chosen == 1 ? ~by_instruction(~seed, bytes, length) : ~by_table(~seed, bytes, length);
}
