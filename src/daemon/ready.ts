// effect: a file descriptor given by whoever started this process
import { closeSync, writeSync } from 'node:fs'

/** Names the descriptor on which a process says that it serves now. */
export const readyVariable = 'FAIRWAY_READY_FD'

/**
 * Tells the one who started this process that it serves, in place of being asked again and again: one line on the
 * descriptor named by $FAIRWAY_READY_FD, which is closed then. Without that variable, and the second time, nothing.
 */
export function tellReady(): void {
  const fd = Number(process.env[readyVariable] ?? Number.NaN)
  if (Number.isNaN(fd)) return
  delete process.env[readyVariable]
  try {
    writeSync(fd, 'ready\n')
    closeSync(fd)
  } catch (error) {
    // Nobody waits any more.
    if (!['EPIPE', 'EBADF'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error
  }
}
