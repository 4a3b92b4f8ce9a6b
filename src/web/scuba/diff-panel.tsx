import type { JSX } from 'preact'
import type { DiffAnswer, PlainValue } from '../../core/scuba/wire-types.ts'
import { count } from '../shell/text.ts'
import { clipped, plainText } from '../../core/scuba/explore/conditions.ts'
import { short } from './numbers.ts'

const COLUMNS_SHOWN = 12
const VALUES_SHOWN = 5

/** The columns in which the chosen rows differ from the others, those that differ most first. */
export function DiffPanel({
  answer,
  onFilter,
}: {
  answer: DiffAnswer
  onFilter: (column: string, value: PlainValue, isNot: boolean) => void
}): JSX.Element {
  const columns = answer.columns.filter(({ difference }) => difference > 0.005).slice(0, COLUMNS_SHOWN)
  return (
    <>
      <p class="empty">
        {count(answer.selectionRows)} chosen rows against {count(answer.baselineRows)} others. 100 % is: no value in common.
      </p>
      {columns.length === 0 && <p>The chosen rows are like the others in every column.</p>}
      <div class="diffs">
        {columns.map(({ name, difference, isRanges, values }) => (
          <section key={name} aria-label={name}>
            <h3>
              <code>{name}</code> <b>{short(difference * 100)} %</b>
            </h3>
            <table>
              <thead>
                <tr>
                  <th scope="col">value</th>
                  <th scope="col" class="number">
                    chosen
                  </th>
                  <th scope="col" class="number">
                    others
                  </th>
                </tr>
              </thead>
              <tbody>
                {values.slice(0, VALUES_SHOWN).map(({ value, selection, baseline }) => (
                  <tr key={plainText(value)}>
                    <td class="shares">
                      {isRanges ? (
                        rangeText(value)
                      ) : (
                        <button
                          type="button"
                          class="plain"
                          aria-label={`only ${name} ${plainText(value)}`}
                          onClick={() => onFilter(name, value, false)}
                        >
                          {clipped(plainText(value))}
                        </button>
                      )}
                      <i class="share-bar chosen" style={{ width: `${selection * 100}%` }} aria-hidden="true" />
                      <i class="share-bar" style={{ width: `${baseline * 100}%` }} aria-hidden="true" />
                    </td>
                    <td class="number">{short(selection * 100)} %</td>
                    <td class="number">{short(baseline * 100)} %</td>
                  </tr>
                ))}
              </tbody>
            </table>
          </section>
        ))}
      </div>
    </>
  )
}

/** A range of numbers reaches to √2 of its lower end, as the store divides them. */
function rangeText(value: PlainValue): string {
  const low = value === null ? NaN : Number(value)
  if (Number.isNaN(low)) return plainText(value)
  if (low === 0) return '0'
  const [from, to] = low < 0 ? [low * Math.SQRT2, low] : [low, low * Math.SQRT2]
  return `${short(from)} to ${short(to)}`
}
