// effect: programs on the PATH, routes of the machine, /proc
import { spawn } from 'node:child_process'
import { accessSync, constants, existsSync, readFileSync } from 'node:fs'
import { release } from 'node:os'
import { delimiter, join } from 'node:path'
import { UserError } from '#daemon/error.ts'
import { openRoute } from '#kernel/route/open-route.ts'
import { type Feature, features, type Machine } from '#lab/machine.ts'

export const observePlatform = (): Pick<Machine, 'platform' | 'isRoot'> => ({
  platform: process.platform,
  isRoot: process.getuid?.() === 0,
})

/** `programs` are those that are looked for. */
export function observeMachine(programs: readonly string[]): Machine {
  return {
    ...observePlatform(),
    missing: programs.filter((program) => !isOnPath(program)),
    canInstall: isOnPath('apt-get'),
    routes: observeRoutes(),
    missingFeatures: observeMissingFeatures(),
  }
}

export const isOnPath = (program: string): boolean =>
  `${process.env['PATH'] ?? ''}${delimiter}/usr/sbin${delimiter}/sbin`.split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK)
      return true
    } catch {
      return false
    }
  })

function observeRoutes(): Machine['routes'] {
  using own = openRoute()
  const names = new Map(own.links().map(({ index, name }) => [index, name]))
  return own
    .routes({ family: 4 })
    .filter(({ destination, type }) => destination !== 'default' && type === 'unicast')
    .map(({ destination, link }) => ({ destination, link: names.get(link ?? 0) ?? 'none' }))
}

function observeMissingFeatures(): readonly Feature[] {
  const fileSystems = readFileSync('/proc/filesystems', 'utf8')
  return features.filter(({ module, sign, loadsItself }) => {
    const isThere = sign.startsWith('/') ? existsSync(sign) : fileSystems.includes(`\t${sign}\n`)
    return !isThere && !(loadsItself && hasModule(module))
  })
}

function hasModule(name: string): boolean {
  const folder = `/lib/modules/${release()}`
  return ['modules.dep', 'modules.builtin'].some((file) => {
    const path = join(folder, file)
    return existsSync(path) && readFileSync(path, 'utf8').includes(`/${name}.ko`)
  })
}

/** Installs Debian packages. Throws a UserError with what apt-get said. */
export async function installPackages(packages: readonly string[], signal: AbortSignal): Promise<void> {
  const environment = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  const install = ['install', '-y', '-qq', '--no-install-recommends', ...packages]
  // A new machine has no lists of packages yet.
  for (const words of [['update', '-qq'], install]) {
    const { status, output } = await capture('apt-get', words, environment, signal)
    if (status !== 0)
      throw new UserError(`could not install ${packages.join(' ')}: apt-get ${words[0]} failed`, {
        code: 'InstallFailed',
        remedy: `it said:\n${output.trim().replaceAll(/^/gm, '    ')}`,
      })
  }
}

/** Loads kernel modules. Throws a UserError with what modprobe said. */
export async function loadModules(modules: readonly string[], signal: AbortSignal): Promise<void> {
  for (const module of modules) {
    const { status, output } = await capture('modprobe', [module], process.env, signal)
    if (status !== 0)
      throw new UserError(`this kernel has no module ${module}: ${output.trim()}`, {
        code: 'MissingKernelFeature',
        remedy: 'use a kernel with it, as those of every distribution',
      })
  }
}

function capture(
  program: string,
  words: readonly string[],
  env: NodeJS.ProcessEnv,
  signal: AbortSignal,
): Promise<{ readonly status: number | null; readonly output: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, words, { stdio: ['ignore', 'pipe', 'pipe'], env, signal })
    let output = ''
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (text: Buffer) => (output += text.toString()))
    child.on('error', (error: NodeJS.ErrnoException) =>
      error.code === 'ENOENT' ? resolve({ status: 127, output: `${program} is not installed` }) : reject(error),
    )
    child.on('close', (status) => resolve({ status, output }))
  })
}
