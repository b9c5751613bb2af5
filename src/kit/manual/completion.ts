/** Completion for shells out of the usage texts. Pure; names, actions and options are letters and dashes only. */
import type { CommandWords } from './usage.ts';

export const SHELLS = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof SHELLS)[number];

export function completion(shell: Shell, commands: readonly CommandWords[]): string {
  return { bash, zsh, fish }[shell](commands);
}

function bash(commands: readonly CommandWords[]): string {
  const cases = commands.map(
    ({ name, actions, options }) => `    ${name}) actions='${actions.join(' ')}' options='${options.join(' ')}' ;;\n`,
  );
  return `# bash completion for viver; made of its usage texts
_viver() {
  local word=\${COMP_WORDS[COMP_CWORD]} actions='' options=''
  COMPREPLY=()
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W '${[...commands.map(({ name }) => name), 'help', '--version'].join(' ')}' -- "$word"))
    return
  fi
  case \${COMP_WORDS[1]} in
    help) COMPREPLY=($(compgen -W '${commands.map(({ name }) => name).join(' ')}' -- "$word")); return ;;
${cases.join('')}  esac
  if [ "$COMP_CWORD" -eq 2 ] && [ -n "$actions" ] && [ "\${word#-}" = "$word" ]; then
    COMPREPLY=($(compgen -W "$actions" -- "$word"))
  elif [ "\${word#-}" != "$word" ]; then
    COMPREPLY=($(compgen -W "$options" -- "$word"))
  else
    COMPREPLY=($(compgen -f -- "$word"))
  fi
}
complete -o filenames -F _viver viver
`;
}

/** In single quotes. */
const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;

function zsh(commands: readonly CommandWords[]): string {
  const names = commands.map(({ name, summary }) => `    ${quoted(`${name}:${summary}`)}\n`);
  const cases = commands.map(
    ({ name, actions, options }) => `    ${name}) actions=(${actions.join(' ')}) options=(${options.join(' ')}) ;;\n`,
  );
  return `#compdef viver
# zsh completion for viver; made of its usage texts
_viver() {
  local -a commands actions options
  commands=(
${names.join('')}    'help:how a command is used'
  )
  if (( CURRENT == 2 )); then
    _describe 'command' commands
    return
  fi
  case $words[2] in
    help) _describe 'command' commands; return ;;
${cases.join('')}  esac
  if (( CURRENT == 3 && $#actions )) && [[ $PREFIX != -* ]]; then
    compadd -a actions
  elif [[ $PREFIX == -* ]]; then
    compadd -a options
  else
    _files
  fi
}
_viver "$@"
`;
}

function fish(commands: readonly CommandWords[]): string {
  const rows = commands.flatMap(({ name, summary, actions, options }) => {
    const inside = `complete -c viver -n '__fish_seen_subcommand_from ${name}'`;
    const long = options
      .filter((option) => option.startsWith('--'))
      .map((option) => `${inside} -l ${option.slice(2)}\n`);
    const short = options
      .filter((option) => !option.startsWith('--'))
      .map((option) => `${inside} -s ${option.slice(1)}\n`);
    const more = actions.length === 0 ? [] : [`${inside} -a '${actions.join(' ')}'\n`];
    return [
      `complete -c viver -n __fish_use_subcommand -f -a ${name} -d ${quoted(summary)}\n`,
      ...more,
      ...long,
      ...short,
    ];
  });
  return `# fish completion for viver; made of its usage texts
${rows.join('')}complete -c viver -n __fish_use_subcommand -f -a help -d 'how a command is used'
complete -c viver -n __fish_use_subcommand -l version
`;
}
