// effect: files, stores
// `fairway store backup | restore | copy`: what a cluster is, in one file, and from one store into another.

import { createReadStream, createWriteStream, existsSync, renameSync, rmSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { BackupReader, fillStore, renderBackup, type Backup } from '#apiserver/store/backup.ts'
import { openStore, type StoreOptions } from '#apiserver/store/open-store.ts'
import { StoreError, type Exported } from '#apiserver/store/store.ts'
import { partFlags } from '#cli/part-command.ts'
import { etcdFlags, etcdOptions } from '#cli/store-flags.ts'
import { connect } from '#client/client.ts'
import { loadKubeconfig } from '#client/kubeconfig.ts'
import { systemClock } from '#daemon/clock.ts'
import { defineCommand } from '#daemon/command.ts'
import { messageOf, UserError } from '#daemon/error.ts'
import { text, type OptionsOf } from '#daemon/flags.ts'
import { silentLog } from '#daemon/log.ts'

const storeFlags = {
  dataFile: text({ help: 'file of the store', placeholder: 'FILE' }),
  ...etcdFlags,
}
type StoreFlags = OptionsOf<typeof storeFlags>
const context = { clock: systemClock, log: silentLog }

export const backup = defineCommand({
  name: 'store backup',
  summary: 'everything that an API server keeps, into one file',
  usage: 'FILE [flags]',
  description:
    'Asks the server while it runs, as an administrator; or reads the file or the etcd of one that does not (--data-file,\n' +
    '--etcd-servers). The file appears when it is whole.',
  examples: [
    'fairway store backup cluster.backup --kubeconfig admin.conf',
    'fairway store backup cluster.backup --data-file fairway-apiserver/store.db',
  ],
  flags: { kubeconfig: partFlags.kubeconfig, ...storeFlags },
  async run(options, rest, { stdout }) {
    const [path] = takes('backup', rest, ['FILE'])
    const part = `${path}.part`
    try {
      if (isNamed(options)) {
        mustExist(options.dataFile)
        await using store = await openStore(chosen(options), context)
        await pipeline(Readable.from(renderBackup(store, takenAt())), createWriteStream(part, { mode: 0o600 }))
      } else await pipeline(await askServer(options.kubeconfig), createWriteStream(part, { mode: 0o600 }))
      const { keys, revision } = await check(part)
      await syncFile(part)
      renameSync(part, path!)
      stdout.write(`${path}: ${keys} keys as of revision ${revision}\n`)
      return 0
    } finally {
      rmSync(part, { force: true })
    }
  },
})

export const restore = defineCommand({
  name: 'store restore',
  summary: 'a backup into a new store',
  usage: 'FILE [flags]',
  description:
    'The store must be empty and its server must not run. The whole file is checked before anything is written. Revisions go on\n' +
    'from where they were, with no history before: clients list anew.',
  examples: ['fairway store restore cluster.backup --data-file new/store.db'],
  flags: storeFlags,
  async run(options, rest, { stdout }) {
    const [path] = takes('restore', rest, ['FILE'])
    const { revision } = await check(path!)
    await using store = await openStore(chosen(options), context)
    const count = await filled(fillStore(store, itemsOf(path!), revision), options)
    stdout.write(`${count} keys restored\n`)
    return 0
  },
})

export const copy = defineCommand({
  name: 'store copy',
  summary: 'from a file into an etcd, or the other way',
  usage: 'file|etcd [flags]',
  description:
    'The argument says from which of the two: `file` is --data-file, `etcd` is --etcd-servers. No server may run on either.',
  examples: ['fairway store copy file --data-file fairway-apiserver/store.db --etcd-servers http://127.0.0.1:2379'],
  flags: storeFlags,
  async run(options, rest, { stdout }) {
    const [from] = takes('copy', rest, ['file|etcd'])
    if (from !== 'file' && from !== 'etcd') throw usage(`store copy: from "file" or from "etcd", not from "${from}"`)
    if (options.dataFile === undefined || options.etcdServers.length === 0)
      throw usage('store copy: --data-file and --etcd-servers name the two stores')
    const [file, etcd] = [{ kind: 'sqlite', path: options.dataFile } as const, etcdOptions(options)]
    if (from === 'file') mustExist(file.path)
    await using source = await openStore(from === 'file' ? file : etcd, context)
    await using target = await openStore(from === 'file' ? etcd : file, context)
    const count = await filled(fillStore(target, source.export(), await source.revision()), options)
    stdout.write(`${count} keys copied\n`)
    return 0
  },
})

const takenAt = () => `${new Date().toISOString().slice(0, 19)}Z`
const usage = (message: string) => new UserError(message, { code: 'Usage', exitCode: 2 })

function takes(command: string, rest: readonly string[], names: readonly string[]): readonly string[] {
  if (rest.length === names.length) return rest
  throw usage(`store ${command} takes ${names.join(' ')}; see fairway store ${command} --help`)
}

const isNamed = ({ dataFile, etcdServers }: StoreFlags) => dataFile !== undefined || etcdServers.length > 0

/** Opening would make it. */
function mustExist(path: string | undefined): void {
  if (path !== undefined && !existsSync(path)) throw usage(`--data-file: there is no file ${path}`)
}

function chosen(options: StoreFlags): StoreOptions {
  const { dataFile, etcdServers } = options
  if (dataFile !== undefined && etcdServers.length > 0)
    throw usage('one store: --data-file or --etcd-servers, not both')
  if (etcdServers.length > 0) return etcdOptions(options)
  if (dataFile !== undefined) return { kind: 'sqlite', path: dataFile }
  throw usage('which store? --data-file FILE or --etcd-servers URL')
}

async function askServer(kubeconfig: string | undefined): Promise<Readable> {
  const client = connect(loadKubeconfig(kubeconfig))
  const { status, body } = await client.raw('GET', '/fairway/backup')
  if (status === 200) return body
  const said = (await body.setEncoding('utf8').toArray()).join('')
  throw new UserError(`the server gives no backup: ${said.trim()}`, { code: 'NoBackup' })
}

async function* itemsOf(path: string, reader = new BackupReader()): AsyncGenerator<Exported> {
  for await (const line of createInterface({ input: createReadStream(path), crlfDelay: Infinity })) {
    const item = reader.take(line)
    if (item !== undefined) yield item
  }
}

/** Reads it once through. Throws UserError. */
async function check(path: string): Promise<Backup> {
  const reader = new BackupReader()
  try {
    for await (const _ of itemsOf(path, reader));
    return reader.end()
  } catch (error) {
    throw new UserError(`${path}: ${messageOf(error)}`, { code: 'BadBackup', cause: error })
  }
}

async function syncFile(path: string): Promise<void> {
  await using file = await open(path, 'r+')
  await file.sync()
}

/** What cannot be filled says why, and what to do. */
async function filled(filling: Promise<number>, { etcdPrefix }: StoreFlags): Promise<number> {
  try {
    return await filling
  } catch (error) {
    if (error instanceof StoreError)
      throw new UserError(error.message, {
        code: `Store-${error.code}`,
        cause: error,
        remedy: 'nothing that was there is changed: empty the new store and try again',
      })
    throw new UserError(messageOf(error), {
      code: 'NotEmpty',
      cause: error,
      remedy: `choose a file that does not exist, or another prefix in etcd (this one is ${etcdPrefix})`,
    })
  }
}
