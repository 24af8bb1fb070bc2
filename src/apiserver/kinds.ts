// Every kind that this server serves. A new kind is one file in kinds/ and one line here.

import { ledgerOf } from '#apiserver/allocate/load.ts'
import type { Kind, Setting } from '#apiserver/kind.ts'
import { configMapKind } from '#apiserver/kinds/config-map.ts'
import { endpointSliceKind } from '#apiserver/kinds/endpoint-slice.ts'
import { endpointsKind } from '#apiserver/kinds/endpoints.ts'
import { eventKind } from '#apiserver/kinds/event.ts'
import { leaseKind } from '#apiserver/kinds/lease.ts'
import { namespaceKind } from '#apiserver/kinds/namespace.ts'
import { nodeKind } from '#apiserver/kinds/node.ts'
import { podKind } from '#apiserver/kinds/pod.ts'
import { secretKind } from '#apiserver/kinds/secret.ts'
import { serviceAccountKind } from '#apiserver/kinds/service-account.ts'
import { serviceKind } from '#apiserver/kinds/service.ts'

export function kinds(setting: Setting): readonly Kind[] {
  return [
    namespaceKind,
    nodeKind,
    podKind,
    serviceKind(ledgerOf(setting)),
    endpointsKind,
    configMapKind,
    secretKind,
    serviceAccountKind,
    eventKind,
    endpointSliceKind,
    leaseKind,
  ]
}
