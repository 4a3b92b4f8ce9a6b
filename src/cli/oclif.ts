/**
 * The parts of oclif that commands use, from their own modules: its index would load help, prompts and plugins
 * on every start.
 */
export { Command } from '@oclif/core/command'
export * as Args from '@oclif/core/args'
export * as Flags from '@oclif/core/flags'
// oxlint-disable-next-line no-restricted-imports -- a type only: nothing is loaded
export type { Interfaces } from '@oclif/core'
