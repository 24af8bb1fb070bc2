// The forms of names in the API. Each function answers what is wrong with a value, in Kubernetes' words; nothing if it
// is right (apimachinery's util/validation and api/validate/content, release 1.36).

import { byteLength } from '#api/go-text.ts'

type Check = (value: string) => string[]

const label1123 = '[a-z0-9]([-a-z0-9]*[a-z0-9])?'
const subdomain1123 = `${label1123}(\\.${label1123})*`
const label1035 = '[a-z]([-a-z0-9]*[a-z0-9])?'
const wildcard = `\\*\\.${subdomain1123}`
const keyName = '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]'
const keyRule =
  "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character"
const keyText = rule(keyRule, keyName, 'MyName', 'my.name', '123-abc')

/** The characters and the length of host names: `example.com`. */
export const dns1123Subdomain = shaped(
  subdomain1123,
  253,
  rule(
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character",
    subdomain1123,
    'example.com',
  ),
)

const isSubdomain = whole(subdomain1123)
const isLabel = whole(label1123)
const labelText = rule(
  "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character",
  label1123,
  'my-name',
  '123-abc',
)

/** One label of a host name: `my-name`. */
export function dns1123Label(value: string): string[] {
  const errors = tooLong(value, 63)
  if (!isLabel.test(value)) errors.push(isSubdomain.test(value) ? 'must not contain dots' : labelText)
  return errors
}

/** A label that begins with a letter. */
export const dns1035Label = shaped(
  label1035,
  63,
  rule(
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character",
    label1035,
    'my-name',
    'abc-123',
  ),
)

/** `*.example.com` */
export const wildcardDns1123Subdomain = shaped(
  wildcard,
  253,
  rule(
    "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must consist of lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character",
    wildcard,
    '*.example.com',
  ),
)

const isKeyName = whole(keyName)

/** Keys of labels, annotations, taints and resources: a name with an optional `subdomain/` before it. */
export function qualifiedName(value: string): string[] {
  const parts = value.split('/')
  if (parts.length > 2)
    return [`a valid label key ${keyText} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')`]
  const errors: string[] = []
  const name = parts.at(-1)!
  if (parts.length === 2) {
    if (parts[0] === '') errors.push('prefix part must be non-empty')
    else errors.push(...dns1123Subdomain(parts[0]!).map((error) => `prefix part ${error}`))
  }
  if (name === '') errors.push('name part must be non-empty')
  else if (byteLength(name) > 63) errors.push('name part must be no more than 63 bytes')
  if (!isKeyName.test(name)) errors.push(`name part ${keyText}`)
  return errors
}

/** The value of a label; may be empty. */
export const labelValue = shaped(
  `(${keyName})?`,
  63,
  rule(
    `a valid label must be an empty string or ${keyRule.replace(/^must /, '')}`,
    `(${keyName})?`,
    'MyValue',
    'my_value',
    '12345',
  ),
  'bytes',
)

/** The name of a port as IANA registers them: up to 15 of a-z, 0-9 and single hyphens, with a letter. */
export function portName(value: string): string[] {
  const errors = tooLong(value, 15)
  if (!/^[-a-z0-9]+$/.test(value)) errors.push('must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)')
  if (!/[a-z]/.test(value)) errors.push('must contain at least one letter (a-z)')
  if (value.includes('--')) errors.push('must not contain consecutive hyphens')
  if (/^-|-$/.test(value)) errors.push('must not begin or end with a hyphen')
  return errors
}

export const portNumber = (value: number): string[] => inRange(value, 1, 65535)
export const userId = (value: number): string[] => inRange(value, 0, 2147483647)
export const groupId = userId

export function inRange(value: number, least: number, most: number): string[] {
  return value >= least && value <= most ? [] : [`must be between ${least} and ${most}, inclusive`]
}

export const cIdentifier = shaped(
  '[A-Za-z_][A-Za-z0-9_]*',
  Number.POSITIVE_INFINITY,
  rule(
    "a valid C identifier must start with alphabetic character or '_', followed by a string of alphanumeric characters or '_'",
    '[A-Za-z_][A-Za-z0-9_]*',
    'my_name',
    'MY_NAME',
    'MyName',
  ),
)

/** The name of an environment variable: any printable ASCII but '='. */
export function envVarName(value: string): string[] {
  if (value === '') return ['environment variable name must be non-empty']
  if (/^[ -<>-~]*$/.test(value)) return []
  return ["a valid environment variable name must consist only of printable ASCII characters other than '='"]
}

const isConfigMapKey = shaped(
  '[-._a-zA-Z0-9]+',
  253,
  rule(
    "a valid config key must consist of alphanumeric characters, '-', '_' or '.'",
    '[-._a-zA-Z0-9]+',
    'key.name',
    'KEY_NAME',
    'key-name',
  ),
)

/** A key of a ConfigMap or Secret, which becomes a file name. */
export function configMapKey(value: string): string[] {
  const errors = isConfigMapKey(value)
  if (value === '.' || value === '..') errors.push(`must not be '${value}'`)
  else if (value.startsWith('..')) errors.push("must not start with '..'")
  return errors
}

export const httpHeaderName = shaped(
  '[-A-Za-z0-9]+',
  Number.POSITIVE_INFINITY,
  rule("a valid HTTP header must consist of alphanumeric characters or '-'", '[-A-Za-z0-9]+', 'X-Header-Name'),
)

export const percent = shaped(
  '[0-9]+%',
  Number.POSITIVE_INFINITY,
  rule("a valid percent string must be a numeric string followed by an ending '%'", '[0-9]+%', '1%', '93%'),
)

/** A name that only has to fit into a URL's path (RBAC). */
export function pathSegment(value: string): string[] {
  if (value === '.' || value === '..') return [`may not be '${value}'`]
  return ['/', '%'].filter((part) => value.includes(part)).map((part) => `may not contain '${part}'`)
}

/**
 * The same for a generateName, to which letters will be added: a trailing hyphen is right. Upstream drops the letter
 * before the hyphen too.
 */
export const asPrefix =
  (check: Check): Check =>
  (value) =>
    check(value.length > 1 && value.endsWith('-') ? `${value.slice(0, -2)}a` : value)

function shaped(pattern: string, most: number, text: string, unit: 'characters' | 'bytes' = 'characters'): Check {
  const form = whole(pattern)
  return (value) => {
    const errors = tooLong(value, most, unit)
    if (!form.test(value)) errors.push(text)
    return errors
  }
}

function tooLong(value: string, most: number, unit: 'characters' | 'bytes' = 'characters'): string[] {
  return byteLength(value) > most ? [`must be no more than ${most} ${unit}`] : []
}

function whole(pattern: string): RegExp {
  return new RegExp(`^(?:${pattern})$`)
}

/** Upstream ends every example, the last too, with a comma and a space. */
function rule(text: string, pattern: string, ...examples: string[]): string {
  const shown = examples.map((example) => `'${example}', `).join(' or ')
  return `${text} (e.g. ${shown}regex used for validation is '${pattern}')`
}
