// Where on a machine a packet is asked: what rules there know beside the packet.

import type { Budget } from '#trace/chain/chain.ts'
import type { Machine } from '#trace/machine.ts'

export type Hook = 'ingress' | 'prerouting' | 'input' | 'forward' | 'output' | 'postrouting' | 'egress'

export type Place = {
  readonly machine: Machine
  readonly hook: Hook
  readonly budget: Budget
  /** the bridge whose ports the interfaces are, to rules of that family */
  readonly bridge?: string
  /** record rules that do not match, too */
  readonly all: boolean
  /** an address of an interface; 127.0.0.1 or ::1 without one; `?` where it is not known */
  ownAddress(device: string | undefined, family: 4 | 6): string
}
