// Findings as text for people and as JSON for programs.

import { type ClusterKind, renderRemedy } from '#doctor/remedy.ts'
import { factsOf } from '#doctor/codes.ts'
import type { ChecklistStep } from '#doctor/checklist.ts'
import type { Diagnosis } from '#doctor/diagnose.ts'
import type { Finding } from '#doctor/finding.ts'
import type { Probed } from '#doctor/probe/probed.ts'
import { renderEnd } from '#trace/packet.ts'
import { renderTable } from '#lib/table.ts'

export function renderReport({ findings, steps, undecided, probes, cluster }: Omit<Diagnosis, 'look'>): string {
  const parts = [
    ...(steps.length > 0 ? [renderSteps(steps)] : []),
    ...findings.map((item) => renderFinding(item, cluster)),
  ]
  const errors = findings.filter(({ severity }) => severity === 'error').length
  const head =
    findings.length === 0
      ? 'Nothing is wrong.'
      : `${errors} ${errors === 1 ? 'error' : 'errors'}, ${findings.length - errors} ${findings.length - errors === 1 ? 'warning' : 'warnings'}.`
  const open =
    undecided.length === 0
      ? ''
      : `\nNot looked at, for lack of inputs:\n${undecided.map((line) => `  ${line}\n`).join('')}`
  const tried = probes === undefined || steps.length > 0 ? '' : `Probes: ${probes.text}.\n`
  return `${[...parts, `${head}\n`].join('\n')}${tried}${open}`
}

const marks = { passed: 'ok', warned: 'warn', failed: 'FAIL', unknown: '?' } as const

const renderSteps = (steps: readonly ChecklistStep[]): string =>
  renderTable(
    steps.map(({ stage, state, text, findings }) => [
      marks[state],
      stage,
      findings.length === 0 ? text : `${text} (${findings.join(', ')})`,
    ]),
  )

function renderFinding(item: Finding, cluster: ClusterKind): string {
  const lines = [`${item.severity} ${item.code} (${item.about}): ${item.summary}`]
  lines.push(`  means: ${item.consequence}`)
  for (const text of item.evidence) lines.push(`  seen:  ${text}`)
  for (const remedy of item.remedy) lines.push(`  fix:   ${renderRemedy(remedy, cluster)}`)
  if (item.restsOn.length > 0) lines.push(`  rests on: not given: ${item.restsOn.join(', ')}`)
  for (const child of item.folded.slice(0, 5)) lines.push(`  so:    ${child.code} (${child.about}): ${child.summary}`)
  if (item.folded.length > 5) lines.push(`  so:    ${item.folded.length - 5} more`)
  return `${lines.join('\n')}\n`
}

/** `{ healthy, steps, findings, probes, undecided }`; findings as in finding.ts, each with the title of its code. */
export const reportDocument = ({ findings, steps, undecided, probes, cluster }: Diagnosis) => ({
  healthy: findings.length === 0,
  steps,
  findings: findings.map((item) => document(item, cluster)),
  ...(probes !== undefined && { probes: { summary: probes.text, tried: probes.tried.map(probeDocument) } }),
  undecided,
})

const probeDocument = ({ probe, prediction, tries }: Probed): object => ({
  from: probe.from,
  service: probe.service,
  ...(probe.kind === 'name'
    ? { name: probe.name, server: probe.server }
    : { to: renderEnd(probe.ip, probe.port), protocol: probe.protocol }),
  expected: prediction,
  tries: tries.map(({ kind, text, ms }) => ({ kind, text, ms: Math.round(ms * 10) / 10 })),
})

const document = (item: Finding, cluster: ClusterKind): object => ({
  ...item,
  title: factsOf(item.code).title,
  remedy: item.remedy.map((one) => renderRemedy(one, cluster)),
  folded: item.folded.map((one) => document(one, cluster)),
})
