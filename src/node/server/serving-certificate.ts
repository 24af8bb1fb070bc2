// effect: files of the agent's certificate
// The certificate that the cluster gave the agent to serve with, so that the API server can be sure whom it asks. Until it
// is there the agent serves with one of its own.
import { X509Certificate } from 'node:crypto'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { KeyPair } from '#pki/certificate.ts'

const filesIn = (folder: string) => [join(folder, 'kubelet-serving.crt'), join(folder, 'kubelet-serving.key')] as const

/** Undefined where there is none, where less than a third of its life is left, or where the node has other addresses now. */
export function loadServing(folder: string, ips: readonly string[], nowMs: number): KeyPair | undefined {
  const [certFile, keyFile] = filesIn(folder)
  try {
    const pair = { cert: readFileSync(certFile, 'utf8'), key: readFileSync(keyFile, 'utf8') }
    const { validFromDate, validToDate, ...cert } = describe(pair.cert)
    const life = validToDate.getTime() - validFromDate.getTime()
    const isFresh = validToDate.getTime() - nowMs > life / 3
    return isFresh && ips.every((ip) => cert.covers(ip)) ? pair : undefined
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

function describe(text: string) {
  const cert = new X509Certificate(text)
  const { validFromDate, validToDate } = cert
  return { validFromDate, validToDate, covers: (ip: string) => cert.checkIP(ip) !== undefined }
}

export function saveServing(folder: string, { cert, key }: KeyPair): void {
  const [certFile, keyFile] = filesIn(folder)
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  writeFileSync(certFile, cert)
  writeFileSync(keyFile, key, { mode: 0o600 })
}
