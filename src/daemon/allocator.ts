// How every process of Fairway asks the C library for memory: said in the environment, for it is read before a process
// begins. Several arenas would each keep memory of their own, one for each thread that compiles or collects; and what is
// larger than a few pages goes back to the system when it is freed.

export const allocatorEnvironment = { MALLOC_ARENA_MAX: '1', MALLOC_MMAP_THRESHOLD_: '16384' } as const

/** For Node, where nothing else is said: what is short-lived has a small place that is swept often. Half the memory, at the same speed. */
export const smallYoungSpace = '--max-semi-space-size=2'
