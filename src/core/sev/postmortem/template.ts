/**
 * The built-in postmortem template; `templates/postmortem.md` is the same text for copying (a test holds them equal).
 * `{{name}}` is filled from the log; everything else stays as it is.
 */
export const POSTMORTEM_TEMPLATE = `# Postmortem: SEV{{level}} #{{incident}} {{title}}

{{facts}}

## Summary

{{summary}}

## Impact

{{impact}}

## Timeline

{{timeline}}

## Detection

{{detection}}

How could we have known earlier?

## Escalation

{{escalation}}

Did the right people know in time, with what they needed?

## Remediation

{{remediation}}

## Evidence

{{evidence}}

## Prevention

{{prevention}}

| action | kind | owner | due | proof |
|---|---|---|---|---|
|  | detect |  |  | an alert rule that fires |
|  | mitigate |  |  | a remedy or runbook that was run |
|  | prevent |  |  | a deploy guard or a chaos experiment that passes |
`
