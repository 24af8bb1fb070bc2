import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import * as names from '#api/names.ts'

const label =
  "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
const subdomain =
  "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
const label1035 =
  "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')"
const keyName =
  "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"

const cases: [string, string[], string[]][] = [
  ['label', names.dns1123Label('web-0'), []],
  ['label with a dot', names.dns1123Label('a.b'), ['must not contain dots']],
  ['label in capitals', names.dns1123Label('Web'), [label]],
  ['long label', names.dns1123Label('a'.repeat(64)), ['must be no more than 63 characters']],
  ['empty label', names.dns1123Label(''), [label]],
  ['subdomain', names.dns1123Subdomain('a.b-c.9'), []],
  ['subdomain with _', names.dns1123Subdomain('a_b'), [subdomain]],
  ['1035', names.dns1035Label('a9'), []],
  ['1035 with a digit first', names.dns1035Label('9a'), [label1035]],
  ['key', names.qualifiedName('example.com/My_Name.1'), []],
  ['key without prefix', names.qualifiedName('/a'), ['prefix part must be non-empty']],
  ['key without name', names.qualifiedName('a/'), ['name part must be non-empty', `name part ${keyName}`]],
  ['key with a bad prefix', names.qualifiedName('A_/b'), [`prefix part ${subdomain}`]],
  [
    'key with two slashes',
    names.qualifiedName('a/b/c'),
    [`a valid label key ${keyName} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')`],
  ],
  ['label value', names.labelValue(''), []],
  [
    'bad label value',
    names.labelValue('a b'),
    [
      "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')",
    ],
  ],
  ['long label value', names.labelValue('a'.repeat(64)), ['must be no more than 63 bytes']],
  ['port name', names.portName('http-2'), []],
  [
    'bad port name',
    names.portName('-8--'),
    [
      'must contain at least one letter (a-z)',
      'must not contain consecutive hyphens',
      'must not begin or end with a hyphen',
    ],
  ],
  ['port', names.portNumber(65535), []],
  ['port 0', names.portNumber(0), ['must be between 1 and 65535, inclusive']],
  ['environment', names.envVarName('1 A.b-c'), []],
  [
    'environment with =',
    names.envVarName('A=B'),
    ["a valid environment variable name must consist only of printable ASCII characters other than '='"],
  ],
  ['config key', names.configMapKey('..data'), ["must not start with '..'"]],
  ['config key ..', names.configMapKey('..'), ["must not be '..'"]],
  ['path segment', names.pathSegment('a/b%'), ["may not contain '/'", "may not contain '%'"]],
  ['prefix', names.asPrefix(names.dns1123Label)('web-'), []],
]
for (const [name, got, want] of cases) test(`names: ${name}`, () => assert.deepEqual(got, want))
