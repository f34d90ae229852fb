/// One clone of a plain loop per instruction set, picked when the program loads. Sanitizers run before such resolvers
/// may. Not for direct use.
//
// The file is compiled with -ffp-contract=off (lib/modules.cmake), so that all clones give the same bits.
#pragma once

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_ADDRESS__) && \
    !defined(__SANITIZE_THREAD__)
#define OCTAVO_CLONES __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define OCTAVO_CLONES
#endif
