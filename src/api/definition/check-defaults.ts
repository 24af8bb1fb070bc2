// Defaults must be values that their own schemas take (apiextensions-apiserver's schema/defaulting/validation.go).

import { checkLists } from '#api/custom/check-lists.ts'
import { checkValue } from '#api/custom/check-value.ts'
import { prune } from '#api/custom/fit.ts'
import { isEmbedded, itemsOf, type Node } from '#api/custom/schema-node.ts'
import { type FieldError, invalid } from '#api/field-error.ts'
import { equalJson } from '#lib/equal.ts'

export function checkDefaults(node: Node, path: string): FieldError[] {
  const errors: FieldError[] = []
  const { default: value } = node
  if (value !== undefined) {
    const place = `${path}.default`
    if (!equalJson(prune(value, node, [], isEmbedded(node)), value))
      errors.push(invalid(place, value, 'must not have unknown fields'))
    errors.push(...checkValue(value, node, place), ...checkLists(value, node, place))
  }
  const items = itemsOf(node)
  return [
    ...errors,
    ...(items === undefined ? [] : checkDefaults(items, `${path}.items`)),
    ...Object.entries(node.properties ?? {}).flatMap(([name, property]) =>
      checkDefaults(property, `${path}.properties[${name}]`),
    ),
  ]
}
