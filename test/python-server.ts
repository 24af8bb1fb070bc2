// effect: a process in a network namespace
import { spawn } from 'node:child_process'
import { withNetns } from '#kernel/netns.ts'

/** Runs a server written in Python there until disposed. Resolves when it has printed something, as it does once it listens. */
export async function pythonServer(netns: string, text: string): Promise<AsyncDisposable> {
  const child = withNetns(netns, () => spawn('python3', ['-c', text], { stdio: ['ignore', 'pipe', 'inherit'] }))
  await new Promise((resolve) => child.stdout.once('data', resolve))
  return {
    async [Symbol.asyncDispose]() {
      const ended = new Promise((resolve) => child.once('exit', resolve))
      child.kill()
      await ended
    },
  }
}
