import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import * as field from '#api/field-error.ts'

// Texts: the String methods and tests of apimachinery's util/validation/field, release 1.36.
const cases: [string, field.FieldError, string][] = [
  [
    'number',
    field.invalid('spec.ports[0].nodePort', 80, 'too low'),
    'spec.ports[0].nodePort: Invalid value: 80: too low',
  ],
  ['string', field.invalid('a', 'x"y\n', 'no'), 'a: Invalid value: "x\\"y\\n": no'],
  ['nil pointer', field.invalid('a', undefined, 'no'), 'a: Invalid value: null: no'],
  ['object', field.duplicate('p', { a: 1, b: '<' }), 'p: Duplicate value: {"a":1,"b":"\\u003c"}'],
  ['no detail', field.required('spec.ports'), 'spec.ports: Required value'],
  [
    'detail',
    field.required('metadata.name', 'name or generateName is required'),
    'metadata.name: Required value: name or generateName is required',
  ],
  ['duplicate', field.duplicate('spec.ports[1].name', 'http'), 'spec.ports[1].name: Duplicate value: "http"'],
  ['unsupported', field.notSupported('t', 'x', ['a', 'b']), 't: Unsupported value: "x": supported values: "a", "b"'],
  ['forbidden', field.forbidden('t', 'may not change'), 't: Forbidden: may not change'],
  ['too long', field.tooLong('t', 63), 't: Too long: may not be more than 63 bytes'],
  ['too many', field.tooMany('t', 3, 1), 't: Too many: 3: must have at most 1 item'],
  ['too few', field.tooFew('t', 0, 2), 't: Too few: 0: must have at least 2 items'],
  ['not found', field.notFound('t', 'x'), 't: Not found: "x"'],
  ['internal', field.internal('t', 'broken'), 't: Internal error: broken'],
]
for (const [name, error, want] of cases)
  test(`field error: ${name}`, () => assert.equal(field.formatFieldError(error), want))

test('field errors: several are listed once each', () => {
  const errors = [field.required('a'), field.required('b'), field.required('a')]
  assert.equal(field.formatFieldErrors(errors), '[a: Required value, b: Required value]')
  assert.equal(field.formatFieldErrors([field.required('a'), field.required('a')]), 'a: Required value')
})

test('field errors: a cause has reason, message and field', () =>
  assert.deepEqual(field.causeOf(field.invalid('a.b', true, 'no')), {
    reason: 'FieldValueInvalid',
    message: 'Invalid value: true: no',
    field: 'a.b',
  }))
