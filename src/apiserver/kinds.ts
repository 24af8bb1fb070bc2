// Every kind that this server serves. A new kind is one file in kinds/ and one line here.

import { ledgerOf } from '#apiserver/allocate/load.ts'
import type { Kind, Setting } from '#apiserver/kind.ts'
import { serviceKind } from '#apiserver/kinds/service.ts'

export function kinds(setting: Setting): readonly Kind[] {
  return [serviceKind(ledgerOf(setting))]
}
