// Which certificate a name gets: that of the oldest Ingress that lists it.

import type { Ingress } from '#api/networking.ts'
import type { Stored } from '#api/stored.ts'
import { type Claim, Claims } from '#ingress/claims.ts'
import type { ServedCertificate } from '#ingress/route.ts'
import type { Certificate } from '#ingress/state.ts'
import { KeySets } from '#lib/key-sets.ts'

/** Stands for the names that no certificate is for. */
const anyHost = ''

type Offer = { readonly secret: string; readonly pem: string }

export class CertificateTable {
  /** by `NAMESPACE/SECRET` */
  readonly certificates = new Map<string, ServedCertificate>()
  defaultCertificate: string | undefined
  readonly #claims = new Claims<Offer>()
  readonly #secretOf = new Map<string, string>()
  readonly #hostsOf = new KeySets()

  /** `hosts`: none for all names that no other one is for. Answers the keys that `settle` takes. */
  offer(owner: Stored<Ingress>, hosts: readonly string[], offer: Offer): readonly string[] {
    const keys = keysOf(hosts)
    for (const key of keys) this.#claims.add(key, { owner, rank: 0, value: offer })
    return keys
  }

  withdraw(owner: Stored<Ingress>, hosts: readonly string[]): readonly string[] {
    const keys = keysOf(hosts)
    for (const key of keys) this.#claims.withdraw(key, owner)
    return keys
  }

  claimsOf(host: string): readonly Claim<Offer>[] {
    return this.#claims.of(host)
  }

  /** Decides anew who these names belong to. Answers the Secrets whose certificate or hosts may be other than before. */
  settle(keys: Iterable<string>): ReadonlySet<string> {
    const touched = new Set<string>()
    for (const key of keys) {
      const holder = this.#claims.of(key)[0]?.value
      if (key === anyHost) this.defaultCertificate = holder?.pem
      else this.#assign(key, holder?.secret, touched)
    }
    for (const secret of touched) {
      const hosts = [...this.#hostsOf.of(secret)].sort()
      if (hosts.length === 0) this.certificates.delete(secret)
      else this.certificates.set(secret, { pem: this.#claims.of(hosts[0]!)[0]!.value.pem, hosts })
    }
    return touched
  }

  #assign(host: string, secret: string | undefined, touched: Set<string>): void {
    const before = this.#secretOf.get(host)
    if (before !== undefined) {
      this.#hostsOf.delete(before, host)
      touched.add(before)
    }
    if (secret === undefined) {
      this.#secretOf.delete(host)
      return
    }
    this.#secretOf.set(host, secret)
    this.#hostsOf.add(secret, host)
    touched.add(secret)
  }
}

const keysOf = (hosts: readonly string[]): readonly string[] => (hosts.length > 0 ? hosts : [anyHost])

/** What is wrong with a certificate for these hosts, though it is served: each text goes on after the Secret's name. */
export function whyUnfit(
  { names, problem }: Certificate & { readonly kind: 'pem' },
  hosts: readonly string[],
): string[] {
  const isFor = (host: string) => names?.some((name) => name === host || name === host.replace(/^[^.]+/, '*')) ?? true
  const others = hosts.filter((host) => !isFor(host))
  return [
    ...(problem === undefined ? [] : [problem]),
    ...(others.length === 0
      ? []
      : [`has a certificate that is not for ${others.join(', ')}: it names ${names?.join(', ') || 'no host'}`]),
  ]
}
