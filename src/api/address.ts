// What is wrong with an IP address or CIDR in a field, in Kubernetes' words (apimachinery/util/validation, strict as
// since 1.36), and what one is warned about.

import { type FieldError, invalid } from '#api/field-error.ts'
import { formatCidr, parseCidr } from '#lib/cidr.ts'
import { formatIp, parseIp } from '#lib/ip.ts'

/** `known`: values that are stored already, which stay allowed under any rule. */
export function checkIp(path: string, value: string, known: readonly string[] | undefined): FieldError[] {
  if (known?.includes(value)) return []
  const bytes = parseIp(value)
  if (bytes !== undefined)
    return isMapped(bytes) ? [invalid(path, value, 'must not be an IPv4-mapped IPv6 address')] : []
  const detail = parseIp(withoutLeadingZeros(value))
    ? 'must not have leading 0s'
    : 'must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)'
  return [invalid(path, value, detail)]
}

/** As `checkIp`, and in canonical form. */
export function checkCanonicalIp(path: string, value: string): FieldError[] {
  const errors = checkIp(path, value, undefined)
  const bytes = parseIp(value)
  if (errors.length > 0 || bytes === undefined || formatIp(bytes) === value) return errors
  return [invalid(path, value, `must be in canonical form ("${formatIp(bytes)}")`)]
}

export function checkCidr(path: string, value: string, known: readonly string[] | undefined): FieldError[] {
  if (known?.includes(value)) return []
  const cidr = parseCidr(value)
  if (cidr === undefined) {
    const detail = parseCidr(withoutLeadingZeros(value))
      ? 'must not have leading 0s in IP or prefix length'
      : 'must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)'
    return [invalid(path, value, detail)]
  }
  const address = parseIp(value.slice(0, value.indexOf('/')))
  if (address !== undefined && isMapped(address))
    return [invalid(path, value, 'must not have an IPv4-mapped IPv6 address')]
  if (address === undefined || formatIp(address) !== formatIp(cidr.base))
    return [invalid(path, value, 'must not have bits set beyond the prefix length')]
  return []
}

/** As `checkCidr`, and in canonical form. */
export function checkCanonicalCidr(path: string, value: string): FieldError[] {
  const errors = checkCidr(path, value, undefined)
  const cidr = parseCidr(value)
  if (errors.length > 0 || cidr === undefined || formatCidr(cidr) === value) return errors
  return [invalid(path, value, `must be in canonical form ("${formatCidr(cidr)}")`)]
}

/** Addresses to which no traffic can be sent from another machine. */
export function checkEndpointIp(path: string, value: string): FieldError[] {
  const bytes = parseIp(value)
  if (bytes === undefined) return [invalid(path, value, 'must be a valid IP address')]
  const errors: FieldError[] = []
  const [first = 0, second = 0, third = 0] = bytes
  const isIpv4 = bytes.length === 4
  const isZeroUntilLast = bytes.subarray(0, -1).every((byte) => byte === 0)
  if (isZeroUntilLast && bytes.at(-1) === 0) errors.push(invalid(path, value, `may not be unspecified (${value})`))
  if (isIpv4 ? first === 127 : isZeroUntilLast && bytes.at(-1) === 1)
    errors.push(invalid(path, value, 'may not be in the loopback range (127.0.0.0/8, ::1/128)'))
  if (isIpv4 ? first === 169 && second === 254 : first === 0xfe && (second & 0xc0) === 0x80)
    errors.push(invalid(path, value, 'may not be in the link-local range (169.254.0.0/16, fe80::/10)'))
  if (isIpv4 ? first === 224 && second === 0 && third === 0 : first === 0xff && (second & 0x0f) === 2)
    errors.push(invalid(path, value, 'may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)'))
  return errors
}

/** What a client is told of an address that is not in canonical form, or was valid once. */
export function warnAboutIp(path: string, value: string): string[] {
  const strict = parseIp(value)
  const bytes = strict ?? parseIp(withoutLeadingZeros(value))
  if (bytes === undefined) return []
  if (strict === undefined || isMapped(bytes))
    return [`${path}: non-standard IP address "${value}" is invalid: use "${formatIp(unmapped(bytes))}"`]
  if (formatIp(bytes) === value) return []
  return [`${path}: IPv6 address "${value}" should be in RFC 5952 canonical format ("${formatIp(bytes)}")`]
}

export function warnAboutCidr(path: string, value: string): string[] {
  const strict = parseCidr(value)
  const cidr = strict ?? parseCidr(withoutLeadingZeros(value))
  const address = parseIp(withoutLeadingZeros(value.slice(0, value.indexOf('/'))))
  if (cidr === undefined || address === undefined) return []
  const canonical = formatCidr(cidr)
  const warnings: string[] = []
  if (formatIp(address) !== formatIp(cidr.base)) {
    const single = `${formatIp(address)}/${address.length * 8}`
    warnings.push(
      `${path}: CIDR value "${value}" is ambiguous in this context (should be "${canonical}" or "${single}"?)`,
    )
  }
  if (strict === undefined) warnings.push(`${path}: non-standard CIDR value "${value}" is invalid: use "${canonical}"`)
  if (warnings.length > 0 || canonical === value) return warnings
  return [`${path}: IPv6 CIDR value "${value}" should be in RFC 5952 canonical format ("${canonical}")`]
}

const unmapped = (bytes: Uint8Array) => (isMapped(bytes) ? bytes.subarray(12) : bytes)

function isMapped(bytes: Uint8Array): boolean {
  return bytes.length === 16 && bytes[10] === 255 && bytes[11] === 255 && bytes.subarray(0, 10).every((byte) => !byte)
}

function withoutLeadingZeros(text: string): string {
  return text.replaceAll(/(^|[./:])0+(?=\d)/g, '$1')
}
