import { Args, ChangeCommand, Flags } from './command.ts'
import type { OperationRef } from './reference.ts'
import { theRollout } from './the-rollout.ts'

/** A command that changes a rollout in flight, which need not be named while there is only one. */
export abstract class RolloutCommand<Ref extends OperationRef> extends ChangeCommand<Ref> {
  static override args = { rollout: Args.string({ description: 'the rollout, or its service; without it, the one in flight' }) }
  static override flags = { reason: Flags.string({ description: 'why, for the log', default: '' }) }

  /** What every such operation asks for. Rejects as {@link theRollout} does. */
  protected async rolloutInput(
    args: { rollout?: string | undefined },
    flags: { reason?: string | undefined },
  ): Promise<{ rollout: string; reason: string }> {
    const find = (): Promise<string> =>
      theRollout(
        (ref, asked) => this.call(ref, asked),
        (text) => this.note(text),
      )
    return { rollout: args.rollout ?? (await find()), reason: flags.reason ?? '' }
  }
}
