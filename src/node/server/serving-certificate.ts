// effect: files of the agent's certificate
// The certificate that the cluster gave the agent to serve with, so that the API server can be sure whom it asks. Until it
// is there the agent serves with one of its own.
import { X509Certificate } from 'node:crypto'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Clock } from '#daemon/clock.ts'
import { messageOf } from '#daemon/error.ts'
import type { Logger } from '#daemon/log.ts'
import { leastLife, lifeOf } from '#node/join/life.ts'
import type { KeyPair } from '#pki/certificate.ts'

const filesIn = (folder: string) => [join(folder, 'kubelet-serving.crt'), join(folder, 'kubelet-serving.key')] as const

export type Serving = KeyPair & { /** when it is to be renewed */ readonly renewAtMs: number }

/** Undefined where there is none, where too little of its life is left, or where the node has other addresses now. */
export function loadServing(folder: string, ips: readonly string[], nowMs: number): Serving | undefined {
  const [certFile, keyFile] = filesIn(folder)
  try {
    const pair = { cert: readFileSync(certFile, 'utf8'), key: readFileSync(keyFile, 'utf8') }
    const { endMs, lengthMs } = lifeOf(pair.cert)
    const renewAtMs = endMs - leastLife * lengthMs
    const certificate = new X509Certificate(pair.cert)
    const fits = renewAtMs > nowMs && ips.every((ip) => certificate.checkIP(ip) !== undefined)
    return fits ? { ...pair, renewAtMs } : undefined
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

export type ServingOptions = {
  readonly folder: string
  readonly ips: readonly string[]
  readonly request: (signal: AbortSignal) => Promise<KeyPair>
  use(pair: KeyPair): void
}
const retryMs = 60_000
/** However short the life of certificates: the cluster is not asked more often. */
const pauseMs = 10_000

/** Asks for a certificate where there is none, and for another one before it ends, until the signal. */
export async function keepServing(
  { folder, ips, request, use }: ServingOptions,
  { signal, log, clock }: { readonly signal: AbortSignal; readonly log: Logger; readonly clock: Clock },
): Promise<void> {
  while (!signal.aborted) {
    const known = loadServing(folder, ips, clock.now())
    if (known !== undefined) {
      await clock.sleep(known.renewAtMs - clock.now(), signal)
      continue
    }
    try {
      const pair = await request(signal)
      saveServing(folder, pair)
      use(pair)
      log.info('The cluster gave a certificate to serve with')
      await clock.sleep(pauseMs, signal)
    } catch (error) {
      if (signal.aborted) return
      log.warn('no certificate to serve with', { err: messageOf(error) })
      await clock.sleep(retryMs, signal)
    }
  }
}

function saveServing(folder: string, { cert, key }: KeyPair): void {
  const [certFile, keyFile] = filesIn(folder)
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  writeFileSync(certFile, cert)
  writeFileSync(keyFile, key, { mode: 0o600 })
}
