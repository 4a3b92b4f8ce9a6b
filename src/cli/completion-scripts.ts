export const SHELLS = ['bash', 'zsh', 'fish'] as const
export type Shell = (typeof SHELLS)[number]

/** Each asks `muster __complete WORD…`, whose lines are `value<TAB>description`. */
export const COMPLETION_SCRIPTS: Record<Shell, string> = {
  bash: `# muster completion for bash:  source <(muster completion bash)
_muster() {
  local IFS=$'\\n' line current="\${COMP_WORDS[COMP_CWORD]}"
  COMPREPLY=()
  while IFS=$'\\t' read -r line _; do
    COMPREPLY+=("$(printf '%q' "$line")")
  done < <(muster __complete "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
  # bash breaks words at "=" and ":": give back only what follows the break.
  if [[ $current == *=* || \${COMP_WORDS[COMP_CWORD-1]} == = ]]; then COMPREPLY=("\${COMPREPLY[@]#*=}"); fi
}
complete -o default -F _muster muster`,
  zsh: `#compdef muster
# muster completion for zsh:  source <(muster completion zsh)
_muster() {
  local -a found
  local value description
  while IFS=$'\\t' read -r value description; do
    found+=("\${value//:/\\\\:}:\${description}")
  done < <(muster __complete "\${(@)words[2,CURRENT]}" 2>/dev/null)
  if (( \${#found} )); then _describe 'muster' found; else _files; fi
}
compdef _muster muster`,
  fish: `# muster completion for fish:  muster completion fish | source
function __muster_complete
    set -l words (commandline -opc) (commandline -ct)
    muster __complete $words[2..-1] 2>/dev/null
end
complete -c muster -a '(__muster_complete)'`,
}
