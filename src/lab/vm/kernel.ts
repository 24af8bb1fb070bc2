// effect: Debian packages, a cache of unpacked kernels
import { spawnSync } from 'node:child_process'
import { existsSync, globSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { UserError } from '#daemon/error.ts'
import { installPackages, isOnPath } from '#lab/observe-machine.ts'
import type { Kernel } from '#lab/vm/plan.ts'

/** Kernels that were unpacked before, one folder for each package. */
export const kernelCache = '/var/cache/fairway/kernels'
/** The package that depends on Debian's newest kernel. */
export const defaultKernel = 'linux-image-amd64'

const programPackages: Readonly<Record<string, string>> = {
  'qemu-system-x86_64': 'qemu-system-x86',
  busybox: 'busybox-static',
  depmod: 'kmod',
}

/** Installs what runs a virtual machine where it is missing, and answers a kernel, downloaded once and never installed. */
export async function prepareKernel(name: string, say: (line: string) => void, signal: AbortSignal): Promise<Kernel> {
  if (process.arch !== 'x64')
    throw new UserError(`virtual machines are there for x86-64 only (this is ${process.arch})`, { code: 'NoVm' })
  const packages = Object.entries(programPackages)
    .filter(([program]) => !isOnPath(program))
    .map(([, name]) => name)
  const cached = findCached(name)
  if (packages.length === 0 && cached) return cached
  if (!isOnPath('apt-get') || process.getuid?.() !== 0)
    throw new UserError(`a virtual machine needs ${[...packages, ...(cached ? [] : [name])].join(', ')}`, {
      code: 'MissingProgram',
      remedy: 'run the command once as root on Debian, which installs them',
    })
  say(
    `installing ${[...packages, ...(cached ? [] : [`${name} (unpacked below ${kernelCache}, not installed)`])].join(', ')}`,
  )
  await installPackages(packages, signal)
  return cached ?? download(name)
}

/** The newest kernel that the name stands for; a name without a version stands for any. */
function findCached(name: string): Kernel | undefined {
  const pattern = name === defaultKernel ? /^linux-image-\d/ : { test: (folder: string) => folder === name }
  const folders = existsSync(kernelCache) ? readdirSync(kernelCache).filter((folder) => pattern.test(folder)) : []
  const newest = folders.sort(new Intl.Collator('en', { numeric: true }).compare).at(-1)
  return newest === undefined ? undefined : kernelIn(join(kernelCache, newest))
}

function kernelIn(folder: string): Kernel {
  const [image] = globSync(join(folder, 'boot/vmlinuz-*'))
  if (image === undefined)
    throw new UserError(`there is no kernel in ${folder}`, { code: 'NoKernel', remedy: `remove it: rm -r ${folder}` })
  const release = image.slice(image.lastIndexOf('vmlinuz-') + 'vmlinuz-'.length)
  const modules = ['lib/modules', 'usr/lib/modules'].map((path) => join(folder, path)).find((path) => existsSync(path))
  return { image, release, modules: modules! }
}

function download(name: string): Kernel {
  const packageName = name === defaultKernel ? dependencyOf(name) : name
  mkdirSync(kernelCache, { recursive: true })
  const scratch = mkdtempSync(join(kernelCache, '.download-'))
  try {
    // apt-get's own user may not write here; as root it need not be used.
    apt(['apt-get', 'download', '-qq', '-o', 'APT::Sandbox::User=root', packageName], scratch)
    apt(['dpkg', '-x', globSync(join(scratch, '*.deb'))[0]!, join(scratch, 'root')], scratch)
    const { release } = kernelIn(join(scratch, 'root'))
    apt(['depmod', '-b', join(scratch, 'root'), release], scratch)
    const folder = join(kernelCache, packageName)
    // Two at once make the same: the second one finds it.
    if (!existsSync(folder)) renameSync(join(scratch, 'root'), folder)
    return kernelIn(folder)
  } finally {
    rmSync(scratch, { recursive: true, force: true })
  }
}

function dependencyOf(name: string): string {
  const found = /^\s*Depends: (linux-image-\S+)$/m.exec(apt(['apt-cache', 'depends', name], '/'))
  if (found) return found[1]!
  throw new UserError(`apt knows no kernel behind ${name}`, {
    code: 'NoKernel',
    remedy: 'see: apt-cache depends ' + name,
  })
}

function apt([program, ...words]: readonly string[], cwd: string): string {
  const { status, stdout, stderr } = spawnSync(program!, words, { cwd, encoding: 'utf8' })
  if (status === 0) return stdout
  throw new UserError(`${program} ${words.join(' ')} failed`, { code: 'NoKernel', remedy: stderr.trim() })
}
