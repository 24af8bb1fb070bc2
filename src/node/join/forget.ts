// effect: containers, links, files
// What an agent has left on a machine that is no node any more: sandboxes that still run, the bridge, its folders.
import { existsSync, readdirSync, rmdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { PartContext } from '#daemon/part.ts'
import { mounts, unmount } from '#kernel/mount.ts'
import { openRoute } from '#kernel/route/open-route.ts'
import { openSandboxRuntime } from '#node/sandbox/open-runtime.ts'

export type ForgetOptions = { readonly rootDir: string; readonly runDir: string }

/** Repeatable. */
export async function forget({ rootDir, runDir }: ForgetOptions, { clock, log }: PartContext): Promise<void> {
  const runtime = await openSandboxRuntime({
    stateFolder: join(rootDir, 'runtime'),
    runFolder: runDir,
    secretFolders: [],
    imageFolder: undefined,
    clock,
    log,
  })
  for (const { id } of runtime.listPodSandboxes()) {
    await runtime.stopPodSandbox(id)
    await runtime.removePodSandbox(id)
  }
  using route = openRoute(undefined)
  route.deleteLink('cni0')
  for (const folder of [rootDir, runDir]) {
    const below = mounts().filter(({ target }) => target.startsWith(`${folder}/`))
    // The last first: one may lie in another.
    for (const { target } of below.toReversed()) unmount(target)
    empty(folder)
  }
}

/** The folder goes too, unless somebody has mounted a disk on it. */
function empty(folder: string): void {
  if (!existsSync(folder)) return
  for (const name of readdirSync(folder)) rmSync(join(folder, name), { recursive: true, force: true })
  try {
    rmdirSync(folder)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EBUSY') throw error
  }
}
