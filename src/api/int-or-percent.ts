// Fields that take a count or a percentage of one.

/**
 * The count that `value` means of `total`: a number as it is, '25%' of `total` rounded up or down.
 * Undefined for a text that is no percentage.
 */
export function scaledCount(value: number | string, total: number, round: 'up' | 'down'): number | undefined {
  if (typeof value === 'number') return value
  const percent = /^(\d+)%$/.exec(value)?.[1]
  if (percent === undefined) return undefined
  const exact = (Number(percent) * total) / 100
  return round === 'up' ? Math.ceil(exact) : Math.floor(exact)
}
