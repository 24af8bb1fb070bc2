// effect: files of the base layer
// Lays the base layer out on a tmpfs (it may not lie within the machine's root, which is the layer below it). It is
// built aside and renamed into place, so that a container never starts on half of it.
import { chmodSync, chownSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs'
import { symlinkSync, writeFileSync } from 'node:fs'
import { stripTypeScriptTypes } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { setFileAttribute } from '#kernel/ffi.ts'
import { toHex } from '#lib/bytes.ts'
import { sha256 } from '#lib/hash.ts'
import { planBaseLayer, type BaseEntry } from '#node/sandbox/base-layer.ts'

/** Makes sure of the layer at `path`. `secret`: folders of this machine that pods shall not see. */
export function ensureBaseLayer(path: string, secret: readonly string[]): void {
  if (existsSync(path)) return
  const draft = `${path}.new`
  rmSync(draft, { recursive: true, force: true })
  mkdirSync(draft, { recursive: true })
  const hasPython = existsSync('/usr/bin/python3') && !existsSync('/usr/bin/python')
  for (const entry of planBaseLayer({ secret, program: readProgram(), hasPython })) lay(draft, entry)
  renameSync(draft, path)
}

/** The built-in program as plain JavaScript; taking the types off costs 40 ms, so it is done once per version of it. */
function readProgram(): string {
  const source = fileURLToPath(import.meta.resolve('#node/images/agnhost.ts'))
  const text = readFileSync(source, 'utf8')
  if (!source.endsWith('.ts')) return text
  const folder = process.env['NODE_COMPILE_CACHE']
  if (folder === undefined) return stripTypeScriptTypes(text)
  const cached = join(folder, `agnhost-${toHex(sha256(text)).slice(0, 16)}.cjs`)
  if (existsSync(cached)) return readFileSync(cached, 'utf8')
  const stripped = stripTypeScriptTypes(text)
  mkdirSync(folder, { recursive: true })
  writeFileSync(`${cached}.${process.pid}`, stripped)
  renameSync(`${cached}.${process.pid}`, cached)
  return stripped
}

function lay(root: string, entry: BaseEntry): void {
  const target = join(root, entry.path)
  if (entry.kind !== 'hide') copyFolder(root, dirname(entry.path))
  switch (entry.kind) {
    case 'hide':
      // What the machine does not have needs no hiding, and no pod shall see its name.
      if (!existsSync(entry.path)) return
      copyFolder(root, entry.path)
      chmodSync(target, entry.mode)
      chownSync(target, 0, 0)
      setFileAttribute(target, 'trusted.overlay.opaque', Uint8Array.of(0x79))
      break
    case 'folder':
      mkdirSync(target, { recursive: true })
      break
    case 'file':
      writeFileSync(target, entry.text)
      chmodSync(target, entry.mode)
      break
    case 'link':
      symlinkSync(entry.to, target)
      break
  }
}

/** Folders of the layer cover the machine's own, so they take over owner and mode of these. */
function copyFolder(root: string, path: string): void {
  if (path === '/' || existsSync(join(root, path))) return
  copyFolder(root, dirname(path))
  mkdirSync(join(root, path))
  const real = statSync(path, { throwIfNoEntry: false })
  if (!real?.isDirectory()) return
  chmodSync(join(root, path), real.mode & 0o7777)
  chownSync(join(root, path), real.uid, real.gid)
}
