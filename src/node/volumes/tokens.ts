// effect: token requests
// Tokens of service accounts for pods: asked for by the node, bound to the pod, renewed well before they run out.
import { serviceAccounts, type Pod } from '#api/core.ts'
import type { Stored } from '#api/stored.ts'
import type { Client } from '#client/client.ts'
import type { Clock } from '#daemon/clock.ts'

type Token = { readonly text: string; readonly renewAt: number; readonly expiresAt: number }
type StoredPod = Stored<Pod>

const retryMs = 10_000

/** Answers of a TokenRequest, as far as they matter here. */
type TokenRequest = { readonly status?: { readonly token?: string; readonly expirationTimestamp?: string } }

export class Tokens {
  readonly #client: Client
  readonly #clock: Clock
  readonly #tokens = new Map<string, Map<string, Token>>()

  constructor(client: Client, clock: Clock) {
    this.#client = client
    this.#clock = clock
  }

  /** Makes sure of every token that the pod's volumes show. Answers in how many ms the first must be renewed. */
  async follow(pod: StoredPod): Promise<number | undefined> {
    const wanted = (pod.spec.volumes ?? []).flatMap(({ projected }) =>
      (projected?.sources ?? []).flatMap(({ serviceAccountToken }) => serviceAccountToken ?? []),
    )
    if (wanted.length === 0) return undefined
    const tokens = this.#tokens.get(pod.metadata.uid) ?? new Map<string, Token>()
    this.#tokens.set(pod.metadata.uid, tokens)
    for (const { audience = '', expirationSeconds = 3600 } of wanted) {
      const known = tokens.get(audience)
      if (known !== undefined && known.renewAt > this.#clock.now()) continue
      tokens.set(audience, await this.#renew(pod, audience, expirationSeconds, known))
    }
    const next = Math.min(...[...tokens.values()].map(({ renewAt }) => renewAt))
    return Math.max(1000, next - this.#clock.now())
  }

  get(uid: string, audience: string): string | undefined {
    return this.#tokens.get(uid)?.get(audience)?.text
  }

  release(uid: string): void {
    this.#tokens.delete(uid)
  }

  /** While the API server is away, a token that is still good stays. */
  async #renew(pod: StoredPod, audience: string, expirationSeconds: number, known: Token | undefined): Promise<Token> {
    try {
      return await this.#request(pod, audience, expirationSeconds)
    } catch (error) {
      if (known === undefined || known.expiresAt <= this.#clock.now()) throw error
      return { ...known, renewAt: this.#clock.now() + retryMs }
    }
  }

  async #request(pod: StoredPod, audience: string, expirationSeconds: number): Promise<Token> {
    const { name, namespace, uid } = pod.metadata
    const request = {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenRequest',
      spec: {
        audiences: audience === '' ? [] : [audience],
        expirationSeconds,
        boundObjectRef: { apiVersion: 'v1', kind: 'Pod', name, uid },
      },
    }
    const account = pod.spec.serviceAccountName || 'default'
    const answer = (await this.#client.create(serviceAccounts, request as object, {
      namespace,
      name: account,
      subresource: 'token',
    })) as TokenRequest
    const text = answer.status?.token
    if (text === undefined) throw new Error(`the API server gave no token for service account ${namespace}/${account}`)
    const now = this.#clock.now()
    const expiresAt = Date.parse(answer.status?.expirationTimestamp ?? '') || now + expirationSeconds * 1000
    // As kubelet: renewed when four fifths of its life are over.
    return { text, renewAt: now + (expiresAt - now) * 0.8, expiresAt }
  }
}
