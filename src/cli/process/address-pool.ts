// The addresses for load balancers, as every process is told them.
import { type AddressPool, parseRange } from '#balancer/pool/address-pool.ts'
import { UserError } from '#daemon/error.ts'
import { list } from '#daemon/flags.ts'

export const addressPoolFlag = {
  addressPool: list({
    help: 'addresses for Services of type LoadBalancer: FIRST-LAST or a CIDR, of either family',
    placeholder: 'RANGE',
  }),
}

/** undefined: no pool is given. */
export function readPool(texts: readonly string[]): AddressPool | undefined {
  if (texts.length === 0) return undefined
  const ranges = texts.map((text) => {
    const range = parseRange(text)
    if (range) return range
    throw new UserError(`--address-pool: "${text}" is no range of addresses`, {
      code: 'BadFlag',
      remedy: 'give FIRST-LAST, as 10.0.0.200-10.0.0.239, or a CIDR',
      exitCode: 2,
    })
  })
  return { text: texts.join(','), ranges }
}
