// What a check is: a pure function from what is known to what is wrong.

import type { Service } from '#api/core.ts'
import type { Finding } from '#doctor/finding.ts'
import type { Comparison } from '#doctor/compare/compare.ts'
import { keyOf, type View } from '#doctor/view.ts'

export type Case = {
  readonly view: View
  readonly comparison: Comparison
  /** `namespace/name` where one Service is asked about */
  readonly only?: string
}

export type Check = (it: Case) => readonly Finding[]

/** The Services that are asked about. */
export const servicesOf = ({ view, only }: Case): readonly Service[] =>
  (view.services ?? []).filter((service) => only === undefined || keyOf(service) === only)
