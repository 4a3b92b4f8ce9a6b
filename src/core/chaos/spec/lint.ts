import type { z } from 'zod'
import { isRefusal, refuse, type MusterError } from '../../kernel/errors.ts'
import { experimentSchema, type Experiment } from '../schema.ts'

export interface SpecIssue {
  path: (string | number)[]
  message: string
}

/** Everything that is wrong with an experiment document; empty: it may be run. */
export function lintExperiment(document: unknown): SpecIssue[] {
  const read = readExperiment(document)
  return isRefusal(read) ? ((read.details as { issues: SpecIssue[] }).issues ?? []) : []
}

/** A document, checked and with its defaults; a refusal CHAOS_SPEC lists every issue with its path. */
export function readExperiment(document: unknown): Experiment | MusterError {
  const parsed = experimentSchema.safeParse(document)
  const issues = parsed.success ? crossChecks(parsed.data) : parsed.error.issues.flatMap(flatten)
  if (parsed.success && issues.length === 0) return parsed.data
  const text = issues.map((issue) => `${issue.path.join('.') || 'document'}: ${issue.message}`).join('; ')
  return refuse('CHAOS_SPEC', text, { details: { issues } })
}

/** Of a union's branches the one that got furthest says what is meant. */
function flatten(issue: z.core.$ZodIssue): SpecIssue[] {
  const path = issue.path.filter((part) => typeof part !== 'symbol')
  if (issue.code === 'invalid_union' && issue.errors.length > 0) {
    const best = issue.errors.reduce((a, b) => (depth(b) > depth(a) || (depth(b) === depth(a) && b.length < a.length) ? b : a))
    return best.flatMap((inner) => flatten({ ...inner, path: [...issue.path, ...inner.path] }))
  }
  return [{ path, message: issue.message }]
}

function depth(issues: readonly z.core.$ZodIssue[]): number {
  return Math.max(...issues.map((issue) => issue.path.length))
}

/** What a schema cannot say. */
function crossChecks(experiment: Experiment): SpecIssue[] {
  return experiment.method.flatMap(({ provider }, i): SpecIssue[] => {
    const { target, fault } = provider
    const at = (...rest: string[]): (string | number)[] => ['method', i, 'provider', 'target', ...rest]
    if (fault === 'legion.kill' || fault === 'legion.pause') return []
    if (target.service === undefined) return [{ path: at(), message: `${fault} acts on a service: name it` }]
    const narrow = (['job', 'group', 'node', 'region', 'labels', 'count', 'share', 'all'] as const).filter(
      (key) => target[key] !== undefined,
    )
    return narrow.map((key) => ({
      path: at(key),
      message: `${fault} acts on users of the service; use arguments.share, or target.version`,
    }))
  })
}
