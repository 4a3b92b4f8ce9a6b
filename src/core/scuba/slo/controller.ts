import type { Controller } from '../../contracts/controller.ts'
import type { Proposal } from '../../contracts/entry.ts'
import { SloMoved } from '../entries/slo.ts'
import type { SloEvaluation } from './evaluate.ts'
import { judgeSlo } from './judge.ts'
import { compileSlo } from './objective.ts'
import { slos, sloStates, stateOrQuiet } from './queries.ts'

/** Newest evaluation per service and objective. */
export interface SloSoft {
  evaluation: (service: string, objective: string) => SloEvaluation | undefined
}

export const SLOS = 'scuba.slos'

/** An evaluation older than this says nothing about now. */
const STALE_MS = 20_000

/** Turns evaluations of objectives into moves. One that was judged before changes nothing: its moves are in the state. */
export const sloController: Controller<SloSoft | undefined> = {
  name: SLOS,
  wakes: ['scuba.Slo'],
  decide: (db, now, soft) => {
    const entries: Proposal[] = []
    for (const { file, version } of soft === undefined ? [] : slos(db)) {
      const states = sloStates(db, file.service)
      for (const objective of compileSlo(file).objectives) {
        const { service, name } = objective
        const evaluation = soft?.evaluation(service, name)
        if (!evaluation || evaluation.version !== version || now - evaluation.atMs > STALE_MS) continue
        const state = stateOrQuiet(states.find((row) => row.objective === name) ?? null)
        for (const move of judgeSlo(objective, state, evaluation)) {
          entries.push(SloMoved.of({ service, objective: name, title: `${service} ${name} ${objective.text}`.slice(0, 200), ...move }))
        }
      }
    }
    return { entries, wakeAt: null }
  },
}
