import { rankGroups } from '../../../core/scuba/merge/answer.ts'
import type { MergedGroups } from '../../../core/scuba/merge/groups.ts'
import { countOf, firstPlaces, mostElsewhere, placedPlan, placesLeft, spreadOf, spreadPlan } from '../../../core/scuba/plan/spread.ts'
import type { Engines } from './engines.ts'
import { gather, type Gathering } from './gather.ts'

/** Looked into so many times, places come no closer. */
const ROUNDS_MAX = 3

/**
 * The best of very many groups, from the places in which they are; null when groups are too even for that.
 * @param name of the question: the places that served it last serve it again as long as they do, so that partials are found again
 */
export async function heavyGroups(gathering: Gathering, engines: Engines, name: string): Promise<MergedGroups | null> {
  const { plan } = gathering
  const spread = spreadOf(await gather({ ...gathering, plan: spreadPlan(plan) }, 'all'))
  let places = engines.heavyPlaces.get(name) ?? firstPlaces(plan, spread)
  for (let round = 0; round < ROUNDS_MAX && places.length > 0; round += 1) {
    const ranked = await gather({ ...gathering, plan: placedPlan(plan, places) }, 'best')
    const least = rankGroups(plan, ranked)[plan.top - 1]
    const left = placesLeft(spread, places, least ? countOf(plan, least) : 0)
    if (left === null) {
      if (engines.heavyPlaces.size >= 1000) engines.heavyPlaces.clear()
      engines.heavyPlaces.set(name, places)
      ranked.isCut = true
      ranked.missing = Math.max(ranked.missing, mostElsewhere(spread, places))
      ranked.countMin = Math.max(ranked.countMin, spread.groups)
      return ranked
    }
    places = left
  }
  engines.heavyPlaces.set(name, [])
  return null
}
