// effect: the memory of this process
// A start takes twice the memory that goes on to be needed, and neither V8 nor the C library gives all of that back by
// itself: V8 keeps pages for the next garbage, each arena of the C library what was freed in its middle.
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { setAllocator, trimAllocator } from '#kernel/ffi.ts'

/** Larger blocks go back to the system as soon as they are freed; all threads share one arena for the others. */
const mmapThreshold = 16 << 10

/**
 * Collects all garbage and gives back what is free then; from then on little is kept. Nothing else runs for about 1.5 ms per MB
 * in use. Called before a start it would make that a fifth slower: each batch would come from the system anew.
 */
export function releaseMemory(): void {
  setAllocator('mmapThreshold', mmapThreshold)
  setAllocator('mostArenas', 1)
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as (how: Readonly<Record<'type' | 'execution' | 'flavor', string>>) => void
  setFlagsFromString('--no-expose-gc')
  collect({ type: 'major', execution: 'sync', flavor: 'last-resort' })
  trimAllocator()
}
