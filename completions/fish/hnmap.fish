# fish completion for hnmap; made by "hnmap --help-fish"
complete -c hnmap -f
complete -c hnmap -a '(__fish_print_hostnames)'
complete -c hnmap -o iL -l input-list -r -F -d 'read targets from FILE, - for standard input'
complete -c hnmap -l exclude -x -d 'leave out these targets'
complete -c hnmap -l excludefile -r -F -d 'leave out the targets in FILE'
complete -c hnmap -l resolve-all -d 'scan every address of a name, not the first alone'
complete -c hnmap -l randomize-hosts -d 'scan the hosts of all targets in random order'
complete -c hnmap -l shard -x -d 'scan part I of N of the targets; all parts together miss and repeat nothing'
complete -c hnmap -s '6' -d 'scan IPv6'
complete -c hnmap -s 's' -x -d 'T: connect; V: service versions; n: no ports; L: list the targets alone'
complete -c hnmap -s 'P' -x -d 'n: take every host for up; S[PORTS]: a host is up when one of these ports answers'
complete -c hnmap -s 'h' -l help -d 'print this help'
complete -c hnmap -s 'V' -l version -d 'print the version and what is built in'
