// effect: files of certificates
// Where a store is: the flags of the API server and of the commands on its store, named as kube-apiserver's.

import { mkdirSync } from 'node:fs'
import { dirname } from 'node:path'
import { UserError } from '#daemon/error.ts'
import { list, text, type OptionsOf } from '#daemon/flags.ts'
import { readRequired } from '#cli/read-required.ts'
import type { StoreOptions } from '#apiserver/store/open-store.ts'

export const etcdFlags = {
  etcdServers: list({
    help: 'keep everything in this etcd instead of a file: the URLs of its members, with commas',
    placeholder: 'URL',
  }),
  etcdPrefix: text({ help: 'what all keys in etcd begin with', default: '/fairway', placeholder: 'PATH' }),
  etcdCafile: text({ help: "authority of etcd's certificates", placeholder: 'FILE' }),
  etcdCertfile: text({ help: 'certificate shown to etcd', placeholder: 'FILE' }),
  etcdKeyfile: text({ help: 'its key', placeholder: 'FILE' }),
}

type Flags = OptionsOf<typeof etcdFlags> & { readonly dataFile: string }

/** Makes the folder of a file that is to be. Throws UserError. */
export function storeOptions(options: Flags): StoreOptions {
  if (options.etcdServers.length > 0) return etcdOptions(options)
  mkdirSync(dirname(options.dataFile), { recursive: true })
  return { kind: 'sqlite', path: options.dataFile }
}

export function etcdOptions(options: OptionsOf<typeof etcdFlags>): Extract<StoreOptions, { kind: 'etcd' }> {
  const { etcdServers, etcdPrefix, etcdCafile, etcdCertfile, etcdKeyfile } = options
  for (const server of etcdServers)
    if (!/^https?:\/\/[^/]+$/.test(server) || !URL.canParse(server))
      throw new UserError(`--etcd-servers: not the URL of a member of etcd: "${server}"`, {
        code: 'BadFlag',
        exitCode: 2,
        remedy: 'for example --etcd-servers https://10.0.0.1:2379,https://10.0.0.2:2379',
      })
  if ((etcdCertfile === undefined) !== (etcdKeyfile === undefined))
    throw new UserError('--etcd-certfile and --etcd-keyfile belong together', { code: 'MissingFlag', exitCode: 2 })
  const read = (path: string | undefined) => (path === undefined ? undefined : readRequired(path))
  return {
    kind: 'etcd',
    servers: etcdServers,
    prefix: etcdPrefix.replace(/\/+$/, ''),
    tls: { ca: read(etcdCafile), cert: read(etcdCertfile), key: read(etcdKeyfile) },
  }
}
