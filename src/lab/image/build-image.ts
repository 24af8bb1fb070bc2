// effect: reads this checkout, its Node, libraries and packages of the machine; writes an archive
// An image of this checkout without any image below it: the sources, the Node that runs here, the C library and a shell of
// this machine, and Debian packages that are asked for.
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { cpSync, createReadStream, createWriteStream, existsSync, lstatSync, mkdirSync, mkdtempSync } from 'node:fs'
import {
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { pipeline } from 'node:stream/promises'
import { createGzip } from 'node:zlib'
import { allocatorEnvironment, smallYoungSpace } from '#daemon/allocator.ts'
import { UserError } from '#daemon/error.ts'
import { isProduct, librariesOf, neededFiles, productPackages } from '#lab/image/image-content.ts'
import { blobPath, type Layer, planLayout } from '#lab/image/image-layout.ts'

export type BuildOptions = {
  /** with a tag */
  readonly name: string
  /** Debian packages that are installed here */
  readonly packages: readonly string[]
}

/** The folder with package.json. */
const checkout = fileURLToPath(new URL('../../..', import.meta.url))
const home = '/opt/fairway'
const entrypoint = [
  '/usr/bin/node',
  '--disable-warning=ExperimentalWarning',
  smallYoungSpace,
  `${home}/src/cli/main.ts`,
] as const
const command = `#!/bin/sh\nexec ${entrypoint.join(' ')} "$@"\n`
/** Written when the image is built, so that a container starts without stripping types. */
const cache = `${home}/cache`
const env = {
  ...allocatorEnvironment,
  PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
  NODE_COMPILE_CACHE: cache,
  NODE_COMPILE_CACHE_PORTABLE: '1',
}

/** Writes an OCI image layout in a tar archive; answers the size of its layer in bytes. Throws UserError. */
export async function buildImage(file: string, { name, packages }: BuildOptions): Promise<number> {
  const draft = mkdtempSync(join(tmpdir(), 'fairway-image-'))
  try {
    const root = join(draft, 'root')
    makeSystem(root)
    copyProduct(root)
    copyProgram(process.execPath, root, '/usr/bin/node')
    copyProgram('/bin/sh', root)
    for (const addon of find(join(root, home, 'node_modules'), /\.node$/)) copyLibraries(addon, root)
    for (const one of packages) copyPackage(one, root)
    if (packages.length > 0) linkAlternatives(root)
    warm(root)
    const layout = join(draft, 'layout')
    const layer = await pack(root, layout)
    const architecture = process.arch === 'x64' ? 'amd64' : process.arch
    for (const [path, bytes] of planLayout({ name, architecture, layer, entrypoint, env }))
      writeFileSync(join(layout, path), bytes)
    run('tar', '-C', layout, '-cf', resolve(file), '.')
    return layer.size
  } finally {
    rmSync(draft, { recursive: true, force: true })
  }
}

/** Folders and the few files that programs take for granted; /bin and the like point below /usr where they do here. */
function makeSystem(root: string): void {
  for (const folder of ['usr/bin', 'etc', 'tmp', 'run', 'var/tmp', 'proc', 'sys', 'dev', 'root'])
    mkdirSync(join(root, folder), { recursive: true })
  for (const link of ['bin', 'sbin', 'lib', 'lib64'])
    if (lstatSync(`/${link}`, { throwIfNoEntry: false })?.isSymbolicLink()) {
      mkdirSync(join(root, realpathSync(`/${link}`)), { recursive: true })
      symlinkSync(readlinkSync(`/${link}`), join(root, link))
    }
  writeFileSync(join(root, 'etc/passwd'), 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/sh\n')
  writeFileSync(join(root, 'etc/group'), 'root:x:0:\nnogroup:x:65534:\n')
  writeFileSync(join(root, 'etc/nsswitch.conf'), 'hosts: files dns\n')
  writeFileSync(join(root, 'usr/bin/fairway'), command, { mode: 0o755 })
}

function copyProduct(root: string): void {
  const lock: unknown = JSON.parse(readFileSync(join(checkout, 'package-lock.json'), 'utf8'))
  const packages = productPackages(lock).filter((path) => existsSync(join(checkout, path)))
  for (const path of ['package.json', 'src', ...packages]) {
    const from = join(checkout, path)
    if (existsSync(from)) cpSync(from, join(root, home, path), { recursive: true, filter: isProduct })
  }
}

/** With its libraries; programs that are links keep their name. */
function copyProgram(program: string, root: string, at = program): void {
  copyFile(realpathSync(program), root, at)
  copyLibraries(realpathSync(program), root)
}

function copyLibraries(file: string, root: string): void {
  // What is no program, or needs no library, is told by a status that says nothing else.
  const { stdout } = spawnSync('ldd', [file], { encoding: 'utf8' })
  for (const library of librariesOf(stdout ?? '')) copyFile(realpathSync(library), root, library)
}

function copyFile(from: string, root: string, at: string): void {
  const to = inside(root, at)
  if (lstatSync(to, { throwIfNoEntry: false }) !== undefined) return
  mkdirSync(dirname(to), { recursive: true })
  cpSync(from, to, { verbatimSymlinks: true })
}

/** Where a file of this machine belongs: /lib and the like are links there too. */
function inside(root: string, path: string): string {
  const folder = dirname(path)
  return join(root, existsSync(folder) ? realpathSync(folder) : folder, basename(path))
}

function copyPackage(name: string, root: string): void {
  const { status, stdout } = spawnSync('dpkg', ['-L', name], { encoding: 'utf8' })
  if (status !== 0)
    throw new UserError(`the Debian package ${name} is not installed here`, {
      code: 'NoPackage',
      remedy: `install it, so that its files can be taken over: apt-get install ${name}`,
    })
  for (const path of neededFiles(stdout)) {
    const found = lstatSync(path, { throwIfNoEntry: false })
    if (found === undefined || found.isDirectory()) continue
    copyFile(path, root, path)
    if (found.isFile() && (found.mode & 0o111 || /\.so(\.|$)/.test(path))) copyLibraries(path, root)
  }
}

/** Names that Debian gives to one of several programs: /usr/sbin/iptables -> /etc/alternatives/iptables -> iptables-nft. */
function linkAlternatives(root: string): void {
  const links = readdirSync('/etc/alternatives', { withFileTypes: true }).filter((entry) => entry.isSymbolicLink())
  for (const { name } of links) {
    const link = join('/etc/alternatives', name)
    const target = readlinkSync(link)
    if (!existsSync(target) || !existsSync(inside(root, target))) continue
    copyFile(link, root, link)
    for (const path of [join('/usr/sbin', name), join('/usr/bin', name)])
      if (lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() && readlinkSync(path) === link)
        copyFile(path, root, path)
  }
}

/** Loads every part once, so that Node keeps what it makes of the sources. */
function warm(root: string): void {
  const parts = find(join(root, home, 'src/cli'), /\.ts$/).filter((path) => !path.endsWith('/main.ts'))
  const script = `for (const part of ${JSON.stringify(parts)}) await import(part)`
  const words = ['--disable-warning=ExperimentalWarning', '--input-type=module', '-e', script]
  const warmEnv = { ...process.env, NODE_COMPILE_CACHE: join(root, cache), NODE_COMPILE_CACHE_PORTABLE: '1' }
  const { status, stderr } = spawnSync(process.execPath, words, { encoding: 'utf8', env: warmEnv })
  if (status !== 0) throw new Error(`the parts do not load: ${stderr}`)
}

async function pack(root: string, layout: string): Promise<Layer> {
  mkdirSync(join(layout, blobPath('')), { recursive: true })
  const [plain, packed] = [join(layout, 'layer.tar'), join(layout, 'layer.tar.gz')]
  const same = ['--sort=name', '--mtime=@0', '--owner=0', '--group=0', '--numeric-owner']
  run('tar', '-C', root, ...same, '-cf', plain, '.')
  const diffId = await digestOf(plain)
  await pipeline(createReadStream(plain), createGzip({ level: 3 }), createWriteStream(packed))
  const digest = await digestOf(packed)
  const size = statSync(packed).size
  cpSync(packed, join(layout, blobPath(digest)))
  for (const file of [plain, packed]) rmSync(file)
  return { digest, diffId, size }
}

async function digestOf(file: string): Promise<string> {
  const hash = createHash('sha256')
  await pipeline(createReadStream(file), hash)
  return hash.digest('hex')
}

const find = (folder: string, pattern: RegExp): string[] =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((path) => pattern.test(path))
    .map((path) => join(folder, path))

function run(program: string, ...words: readonly string[]): void {
  const { status, stderr, error } = spawnSync(program, words, { encoding: 'utf8' })
  if (error || status !== 0)
    throw new UserError(`${program} failed`, { code: 'NoImage', remedy: (error?.message ?? stderr).trim() })
}
