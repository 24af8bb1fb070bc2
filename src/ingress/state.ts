// What the table reads, and what tells it of changes.

import type { Service } from '#api/core.ts'
import type { EndpointSlice } from '#api/discovery.ts'
import type { Ingress, IngressClass } from '#api/networking.ts'
import type { Stored } from '#api/stored.ts'
import type { ReadUsers } from '#ingress/users.ts'

/** A Secret as far as it is of use: its PEM texts joined, or what is wrong with them. */
export type Certificate =
  | {
      readonly kind: 'pem'
      readonly pem: string
      /** what it is for, `*.a.test` too; undefined: not known */
      readonly names?: readonly string[]
      /** it is served all the same */
      readonly problem?: string
    }
  | { readonly kind: 'wrong'; readonly message: string }

/** All keys are `NAMESPACE/NAME`. */
export type IngressState = {
  ingresses(): Iterable<Stored<Ingress>>
  ingress(key: string): Stored<Ingress> | undefined
  classes(): Iterable<Stored<IngressClass>>
  service(key: string): Stored<Service> | undefined
  /** of a Service */
  slices(key: string): readonly Stored<EndpointSlice>[]
  secret(key: string): Certificate | undefined
  /** of a Secret that says who may come in */
  users(key: string): ReadUsers | undefined
  /** of a name outside, as far as they are known */
  addresses(name: string): readonly string[]
}

/** `slices` are named by their Service, `addresses` by the name outside that they are of. */
export type ObjectChange =
  | { readonly kind: 'ingress' | 'service' | 'slices' | 'secret' | 'addresses'; readonly key: string }
  | { readonly kind: 'all' }
