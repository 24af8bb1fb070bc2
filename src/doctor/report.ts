// Findings as text for people and as JSON for programs.

import { factsOf } from '#doctor/codes.ts'
import type { Diagnosis } from '#doctor/diagnose.ts'
import type { Finding } from '#doctor/finding.ts'

export function renderReport({ findings, undecided }: Diagnosis): string {
  const parts = findings.map(renderFinding)
  const errors = findings.filter(({ severity }) => severity === 'error').length
  const head =
    findings.length === 0
      ? 'Nothing is wrong.'
      : `${errors} ${errors === 1 ? 'error' : 'errors'}, ${findings.length - errors} ${findings.length - errors === 1 ? 'warning' : 'warnings'}.`
  const open =
    undecided.length === 0
      ? ''
      : `\nNot looked at, for lack of inputs:\n${undecided.map((line) => `  ${line}\n`).join('')}`
  return `${[...parts, `${head}\n`].join('\n')}${open}`
}

function renderFinding(item: Finding): string {
  const lines = [`${item.severity} ${item.code} (${item.about}): ${item.summary}`]
  lines.push(`  means: ${item.consequence}`)
  for (const text of item.evidence) lines.push(`  seen:  ${text}`)
  for (const text of item.remedy) lines.push(`  ${text.startsWith('#') ? 'fix:   ' : 'fix:   '}${text}`)
  if (item.restsOn.length > 0) lines.push(`  rests on: not given: ${item.restsOn.join(', ')}`)
  for (const child of item.folded.slice(0, 5)) lines.push(`  so:    ${child.code} (${child.about}): ${child.summary}`)
  if (item.folded.length > 5) lines.push(`  so:    ${item.folded.length - 5} more`)
  return `${lines.join('\n')}\n`
}

/** `{ healthy, findings, undecided }`; findings as in finding.ts, each with the title of its code. */
export const reportDocument = ({ findings, undecided }: Diagnosis) => ({
  healthy: findings.length === 0,
  findings: findings.map(document),
  undecided,
})

const document = (item: Finding): object => ({
  ...item,
  title: factsOf(item.code).title,
  folded: item.folded.map(document),
})
