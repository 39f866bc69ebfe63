# fish completion for hcurl; made by "hcurl --help-fish"
complete -c hcurl -f
complete -c hcurl -s 'K' -l config -r -F -d 'read options from FILE, too ("-": standard input)'
complete -c hcurl -s 'q' -l disable -d 'as the first option: do not read ~/.hcurlrc'
complete -c hcurl -l no-disable
complete -c hcurl -s ':' -l next -d 'what follows is an operation of its own, with options of its own'
complete -c hcurl -l variable -r -F -d 'set a variable for --expand-OPTION, which takes the value of any --OPTION with {{NAME}} and {{NAME:FUNCTION}} in it; functions are trim, json, url, b64 and 64dec'
complete -c hcurl -s 'h' -l help -f -d 'print help: about the usual options, "all", a "category" or one --option'
complete -c hcurl -s 'M' -l manual -d 'print the manual'
complete -c hcurl -s 'V' -l version -d 'print the version, the protocols and what is built in'
complete -c hcurl -l url -x -d 'work on URL; @FILE: on those in its lines, as with -O'
complete -c hcurl -s 'o' -l output -r -F -d 'write the body to FILE; #1 is what the first glob stands at'
complete -c hcurl -s 'O' -l remote-name -d 'write the body to a file named as the URL\'s last part'
complete -c hcurl -l no-remote-name
complete -c hcurl -l remote-name-all -d 'as -O for every URL'
complete -c hcurl -l no-remote-name-all
complete -c hcurl -l out-null -d 'drop the body'
complete -c hcurl -s 'T' -l upload-file -r -F -d 'send FILE with PUT; - is standard input'
complete -c hcurl -s 'g' -l globoff -d 'take {} and [] in URLs as they are'
complete -c hcurl -l no-globoff
complete -c hcurl -s 'G' -l get -d 'put the data of -d into the query, and ask with GET'
complete -c hcurl -l no-get
complete -c hcurl -l url-query -x -d 'add DATA to the query, encoded as --data-urlencode does; +DATA: as it is'
complete -c hcurl -l path-as-is -d 'leave /../ and /./ in the path'
complete -c hcurl -l no-path-as-is
complete -c hcurl -l proto-default -x -d 'the protocol of URLs that name none'
complete -c hcurl -s 'd' -l data -x -d 'POST these bytes, or those of @FILE without line ends; several are joined with &'
complete -c hcurl -l data-raw -x -d 'as -d, though DATA may begin with @'
complete -c hcurl -l data-binary -x -d 'as -d, and @FILE is sent as it is'
complete -c hcurl -l data-urlencode -x -d 'as -d, encoded: CONTENT, =CONTENT, NAME=CONTENT, @FILE or NAME@FILE'
complete -c hcurl -l json -x -d 'POST this JSON, or that of @FILE, and ask for JSON'
complete -c hcurl -s 'F' -l form -x -d 'POST a form\'s field: NAME=CONTENT, NAME=@FILE (an upload), NAME=<FILE (its content)'
complete -c hcurl -l form-string -x -d 'as -F, and CONTENT is taken as it is'
complete -c hcurl -l form-escape -d 'quotes in the names of a form become \\" and not %22'
complete -c hcurl -l no-form-escape
complete -c hcurl -l crlf -d 'send line feeds as CR LF'
complete -c hcurl -l no-crlf
complete -c hcurl -s 'X' -l request -x -d 'send METHOD'
complete -c hcurl -s 'I' -l head -d 'ask for the head only, and show it'
complete -c hcurl -l no-head
complete -c hcurl -s 'H' -l header -r -F -d 'send this field; \'NAME:\' takes one away, \'NAME;\' is an empty one'
complete -c hcurl -s 'A' -l user-agent -x -d 'say that the program is NAME; \'\': nothing'
complete -c hcurl -s 'e' -l referer -x -d 'say that URL has led here; \';auto\': after redirects'
complete -c hcurl -s 'r' -l range -x -d 'ask for these bytes: 0-99, -500, 9500-, 0-0,-1'
complete -c hcurl -s 'C' -l continue-at -x -d 'go on at byte N; -: where the file ends'
complete -c hcurl -s 'z' -l time-cond -x -d 'only what is newer than a date or a file; -: older'
complete -c hcurl -l request-target -x -d 'put TEXT where the path would be'
complete -c hcurl -s '0' -l http1.0 -d 'send requests of HTTP/1.0'
complete -c hcurl -l http1.1 -d 'send requests of HTTP/1.1'
complete -c hcurl -l http0.9 -d 'take responses without a head'
complete -c hcurl -l no-http0.9
complete -c hcurl -l compressed -d 'ask for a coded body, and decode it'
complete -c hcurl -l no-compressed
complete -c hcurl -l tr-encoding -d 'ask for a coded transfer, and decode it'
complete -c hcurl -l no-tr-encoding
complete -c hcurl -l raw -d 'decode nothing, not even chunks'
complete -c hcurl -l no-raw
complete -c hcurl -l expect100-timeout -x -d 'wait so long for 100 Continue'
complete -c hcurl -l ignore-content-length -d 'do not believe Content-Length'
complete -c hcurl -l no-ignore-content-length
complete -c hcurl -l disallow-username-in-url -d 'refuse URLs with a user'
complete -c hcurl -l no-disallow-username-in-url
complete -c hcurl -s 'L' -l location -d 'follow redirects'
complete -c hcurl -l no-location
complete -c hcurl -l location-trusted -d 'follow redirects, and log in wherever they lead'
complete -c hcurl -l no-location-trusted
complete -c hcurl -l follow -d 'follow redirects; the method of -X obeys them'
complete -c hcurl -l no-follow
complete -c hcurl -l max-redirs -x -d 'follow at most N; -1: without an end'
complete -c hcurl -l post301 -d 'a POST stays one after 301'
complete -c hcurl -l no-post301
complete -c hcurl -l post302 -d 'a POST stays one after 302'
complete -c hcurl -l no-post302
complete -c hcurl -l post303 -d 'a POST stays one after 303'
complete -c hcurl -l no-post303
complete -c hcurl -l proto -x -d 'use these protocols only: =https, -http'
complete -c hcurl -l proto-redir -x -d 'follow redirects to these protocols only'
complete -c hcurl -s 'm' -l max-time -x -d 'give up after SECONDS'
complete -c hcurl -s 'Y' -l speed-limit -x -d 'give up below N bytes a second for --speed-time'
complete -c hcurl -s 'y' -l speed-time -x -d 'give up after SECONDS that are slower than --speed-limit'
complete -c hcurl -l limit-rate -x -d 'at most so many bytes a second, each way'
complete -c hcurl -l max-filesize -x -d 'refuse what is larger'
complete -c hcurl -s 'u' -l user -x -d 'log in to the server; without :PASSWORD it is asked for'
complete -c hcurl -l basic -d 'log in by Basic, the default'
complete -c hcurl -l no-basic
complete -c hcurl -l digest -d 'log in by Digest'
complete -c hcurl -l no-digest
complete -c hcurl -l anyauth -d 'log in by the safest way that the server has'
complete -c hcurl -l oauth2-bearer -x -d 'log in by a token'
complete -c hcurl -s 'n' -l netrc -d 'log in as ~/.netrc says'
complete -c hcurl -l no-netrc
complete -c hcurl -l netrc-optional -d 'the same, but the URL\'s login counts first'
complete -c hcurl -l no-netrc-optional
complete -c hcurl -l netrc-file -r -F -d 'use this file in the place of ~/.netrc'
complete -c hcurl -l aws-sigv4 -x -d 'sign as PROVIDER1[:PROVIDER2[:REGION[:SERVICE]]] wants'
complete -c hcurl -s 'U' -l proxy-user -x -d 'log in to the proxy'
complete -c hcurl -l proxy-basic -d 'log in to the proxy by Basic, the default'
complete -c hcurl -l no-proxy-basic
complete -c hcurl -l proxy-digest -d 'log in to the proxy by Digest'
complete -c hcurl -l no-proxy-digest
complete -c hcurl -l proxy-anyauth -d 'log in to the proxy by the safest way that it has'
complete -c hcurl -l no-proxy-anyauth
complete -c hcurl -s 'i' -l show-headers -d 'the heads of responses are part of the output'
complete -c hcurl -l no-show-headers
complete -c hcurl -s 'D' -l dump-header -r -F -d 'write the heads of responses to FILE (- is stdout, % stderr)'
complete -c hcurl -s 'f' -l fail -d 'a status of 400 or above is an error, and prints nothing'
complete -c hcurl -l fail-with-body -d 'the same, but the body is kept'
complete -c hcurl -l expect-status -x -d 'any other status is an error: 200,3xx,404-410; exit status 22'
complete -c hcurl -l checksum -x -d 'what comes must have this hash (sha256=HEX; md5, sha1, sha384, sha512), or no file is left; exit status 120'
complete -c hcurl -l output-dir -x -d 'the folder of output files'
complete -c hcurl -l create-dirs -d 'make the folders that lead to an output file'
complete -c hcurl -l no-create-dirs
complete -c hcurl -l create-file-mode -x -d 'the mode of new output files (0666)'
complete -c hcurl -s 'J' -l remote-header-name -d 'with -O, a name that the server gives goes before the URL\'s'
complete -c hcurl -l no-remote-header-name
complete -c hcurl -l no-clobber -d 'a file that exists is left; the new one becomes NAME.1, NAME.2 ...'
complete -c hcurl -l clobber -d 'a file that exists is overwritten, also with -J'
complete -c hcurl -l remove-on-error -d 'leave no part of a file; one that exists is replaced only by a whole one'
complete -c hcurl -l no-remove-on-error
complete -c hcurl -l etag-save -r -F -d 'write the ETag to FILE'
complete -c hcurl -l etag-compare -r -F -d 'ask only for what has not the ETag in FILE'
complete -c hcurl -s 'R' -l remote-time -d 'give the file the time that it has at the server'
complete -c hcurl -l no-remote-time
complete -c hcurl -l xattr -d 'note in the file\'s attributes where it comes from'
complete -c hcurl -l no-xattr
complete -c hcurl -s 'N' -l no-buffer -d 'write what comes at once, as is always done'
complete -c hcurl -s 'w' -l write-out -x -d 'print this behind each transfer; %{name} is a variable, @FILE takes the text from a file'
complete -c hcurl -l resolve -x -a '(__fish_print_hostnames)' -d 'use these addresses for HOST:PORT'
complete -c hcurl -l connect-to -x -a '(__fish_print_hostnames)' -d 'connect to HOST2:PORT2 instead'
complete -c hcurl -s '4' -l ipv4 -d 'use IPv4 only'
complete -c hcurl -s '6' -l ipv6 -d 'use IPv6 only'
complete -c hcurl -l interface -x -d 'connect from this interface, address or name'
complete -c hcurl -l local-port -x -d 'connect from one of these ports'
complete -c hcurl -l unix-socket -r -F -d 'connect to this UNIX socket'
complete -c hcurl -l abstract-unix-socket -x -d 'connect to this abstract UNIX socket'
complete -c hcurl -l connect-timeout -x -d 'give up connecting after SECONDS'
complete -c hcurl -l happy-eyeballs-timeout-ms -x -d 'try the next address after so many milliseconds'
complete -c hcurl -l no-keepalive -d 'let idle connections die unseen'
complete -c hcurl -l keepalive
complete -c hcurl -l keepalive-time -x -d 'probe a connection that is idle for SECONDS'
complete -c hcurl -l keepalive-cnt -x -d 'N probes without an answer are the end'
complete -c hcurl -l no-tcp-nodelay -d 'let small packets wait for more'
complete -c hcurl -l tcp-nodelay
complete -c hcurl -l tcp-fastopen -d 'send with the first packet (TCP Fast Open)'
complete -c hcurl -l no-tcp-fastopen
complete -c hcurl -l ip-tos -x -d 'mark packets with this type of service'
complete -c hcurl -l dns-servers -x -d 'ask these name servers'
complete -c hcurl -l haproxy-protocol -d 'begin with a PROXY protocol header'
complete -c hcurl -l no-haproxy-protocol
complete -c hcurl -l haproxy-clientip -x -d '... with this address in it'
complete -c hcurl -s 'x' -l proxy -x -a '(__fish_print_hostnames)' -d 'use this proxy; \'\': none, whatever the environment says'
complete -c hcurl -l proxy1.0 -x -a '(__fish_print_hostnames)' -d 'use this HTTP/1.0 proxy'
complete -c hcurl -l socks4 -x -a '(__fish_print_hostnames)' -d 'use this SOCKS 4 proxy'
complete -c hcurl -l socks4a -x -a '(__fish_print_hostnames)' -d 'use this SOCKS 4a proxy, which resolves names'
complete -c hcurl -l socks5 -x -a '(__fish_print_hostnames)' -d 'use this SOCKS 5 proxy'
complete -c hcurl -l socks5-hostname -x -a '(__fish_print_hostnames)' -d 'use this SOCKS 5 proxy, which resolves names'
complete -c hcurl -l socks5-basic -d 'log in to SOCKS 5 by user and password'
complete -c hcurl -l no-socks5-basic
complete -c hcurl -l preproxy -x -a '(__fish_print_hostnames)' -d 'reach the proxy through this SOCKS proxy'
complete -c hcurl -s 'p' -l proxytunnel -d 'tunnel through the HTTP proxy (CONNECT)'
complete -c hcurl -l no-proxytunnel
complete -c hcurl -l noproxy -x -d 'reach these hosts without a proxy'
complete -c hcurl -l proxy-header -r -F -d 'send this field to the proxy'
complete -c hcurl -l suppress-connect-headers -d 'do not show what the proxy answers to CONNECT'
complete -c hcurl -l no-suppress-connect-headers
complete -c hcurl -s 'k' -l insecure -d 'take any certificate and any name'
complete -c hcurl -l no-insecure
complete -c hcurl -l cacert -r -F -d 'trust the certificates in FILE only'
complete -c hcurl -l capath -x -d 'trust the certificates in this hashed folder'
complete -c hcurl -l crlfile -r -F -d 'refuse the certificates that FILE revokes'
complete -c hcurl -l pinnedpubkey -r -F -d 'take this public key only: a file, or sha256//BASE64[;...]'
complete -c hcurl -s 'E' -l cert -r -F -d 'show this certificate'
complete -c hcurl -l key -r -F -d 'its private key'
complete -c hcurl -l pass -x -d 'the password of the key'
complete -c hcurl -l cert-type -x -d 'PEM, DER or P12'
complete -c hcurl -l key-type -x -d 'PEM or DER'
complete -c hcurl -s '1' -l tlsv1 -d 'speak TLS 1.2 or newer'
complete -c hcurl -l tlsv1.2 -d 'the same'
complete -c hcurl -l tlsv1.3 -d 'speak TLS 1.3 or newer'
complete -c hcurl -l tls-max -x -d 'speak no newer version: 1.2, 1.3'
complete -c hcurl -l ciphers -x -d 'use these ciphers for TLS 1.2'
complete -c hcurl -l tls13-ciphers -x -d 'use these ciphers for TLS 1.3'
complete -c hcurl -l curves -x -d 'use these groups for the key exchange'
complete -c hcurl -l no-alpn -d 'do not say which protocol comes'
complete -c hcurl -l alpn
complete -c hcurl -l no-sessionid -d 'do not resume sessions'
complete -c hcurl -l sessionid
complete -c hcurl -l proxy-insecure -d 'take any certificate and any name'
complete -c hcurl -l no-proxy-insecure
complete -c hcurl -l proxy-cacert -r -F -d 'trust the certificates in FILE only'
complete -c hcurl -l proxy-capath -x -d 'trust the certificates in this hashed folder'
complete -c hcurl -l proxy-crlfile -r -F -d 'refuse the certificates that FILE revokes'
complete -c hcurl -l proxy-pinnedpubkey -r -F -d 'take this public key only: a file, or sha256//BASE64[;...]'
complete -c hcurl -l proxy-cert -r -F -d 'show this certificate'
complete -c hcurl -l proxy-key -r -F -d 'its private key'
complete -c hcurl -l proxy-pass -x -d 'the password of the key'
complete -c hcurl -l proxy-cert-type -x -d 'PEM, DER or P12'
complete -c hcurl -l proxy-key-type -x -d 'PEM or DER'
complete -c hcurl -l proxy-tlsv1 -d 'speak TLS 1.2 or newer'
complete -c hcurl -l proxy-ciphers -x -d 'use these ciphers for TLS 1.2'
complete -c hcurl -l proxy-tls13-ciphers -x -d 'use these ciphers for TLS 1.3'
complete -c hcurl -s 'b' -l cookie -r -F -d 'send the cookies NAME=VALUE; NAME2=VALUE2, or those that a FILE has (- is stdin), and keep those that come; "" only keeps them'
complete -c hcurl -s 'c' -l cookie-jar -r -F -d 'keep cookies, and write them all to FILE (- is stdout)'
complete -c hcurl -s 'j' -l junk-session-cookies -d 'leave out the cookies of -b that end with their session'
complete -c hcurl -l no-junk-session-cookies
complete -c hcurl -l hsts -r -F -d 'keep in FILE which hosts said to be asked over https only ("": in none)'
complete -c hcurl -l alt-svc -r -F -d 'keep in FILE where else servers say they can be reached ("": in none)'
complete -c hcurl -l retry -x -d 'try up to N times more when an error may pass by itself'
complete -c hcurl -l retry-delay -x -d 'wait TIME before each retry instead of 1 s, 2 s, 4 s ...'
complete -c hcurl -l retry-max-time -x -d 'begin no retry later than TIME after the first try'
complete -c hcurl -l retry-connrefused -d 'a refused connection is a reason to retry'
complete -c hcurl -l no-retry-connrefused
complete -c hcurl -l retry-all-errors -d 'any error is a reason to retry'
complete -c hcurl -l no-retry-all-errors
complete -c hcurl -l robust -d 'settings for bad links: 10 retries of any error, 10 s to connect, stalled transfers time out after 30 s, files are replaced only when they are whole'
complete -c hcurl -l no-robust
complete -c hcurl -l skip-existing -d 'do not download what exists as a file already'
complete -c hcurl -l no-skip-existing
complete -c hcurl -s 'Z' -l parallel -d 'make transfers at the same time'
complete -c hcurl -l no-parallel
complete -c hcurl -l parallel-max -x -d 'so many at the same time (50)'
complete -c hcurl -l parallel-max-host -x -d 'at most so many connections to one server'
complete -c hcurl -l parallel-immediate -d 'with -Z, open connections rather than wait for one that is free'
complete -c hcurl -l no-parallel-immediate
complete -c hcurl -l rate -x -d 'begin at most so many transfers in a time, one after another: 2/s, 10/m, 5/15s'
complete -c hcurl -l fail-early -d 'end with the first transfer that fails'
complete -c hcurl -l no-fail-early
complete -c hcurl -l split -x -d 'download the file over N connections, and go on where that ended'
complete -c hcurl -s 'v' -l verbose -d 'show heads, and what happens on the way; -vv when, -vvv the data, too'
complete -c hcurl -s 's' -l silent -d 'no progress, warnings or errors'
complete -c hcurl -l no-silent
complete -c hcurl -s 'S' -l show-error -d 'errors in spite of --silent'
complete -c hcurl -l no-show-error
complete -c hcurl -s '#' -l progress-bar -d 'progress as a bar, not as a table'
complete -c hcurl -l no-progress-bar
complete -c hcurl -l progress-meter -d 'progress on stderr, unless the data goes to a terminal'
complete -c hcurl -l no-progress-meter
complete -c hcurl -l stderr -r -F -d 'write all that would go to stderr to FILE; - is stdout'
complete -c hcurl -l trace -r -F -d 'write all that goes over the wire to FILE, in hex'
complete -c hcurl -l trace-ascii -r -F -d 'the same without the hex; - is stdout, % stderr'
complete -c hcurl -l trace-time -d 'the time in front of a trace\'s lines'
complete -c hcurl -l no-trace-time
complete -c hcurl -l trace-ids -d 'the numbers of transfer and connection in front of a trace\'s lines'
complete -c hcurl -l no-trace-ids
complete -c hcurl -l trace-config -x -d 'a list of parts to trace: ids, time or all, others are ignored'
complete -c hcurl -l styled-output -d 'names of fields in bold on a terminal'
complete -c hcurl -l no-styled-output
complete -c hcurl -l pretty -d 'indent JSON on stdout, and colour it and heads there on a terminal; on a terminal that is the default'
complete -c hcurl -l no-pretty -d 'leave bodies and heads as they come on a terminal, too'
complete -c hcurl -l waterfall -d 'show at the end where the time went, for each request'
complete -c hcurl -l no-waterfall
complete -c hcurl -l bench -d 'send the request again and again, and tell how fast the answers come'
complete -c hcurl -l bench-json -d 'the same, and report as one JSON object'
complete -c hcurl -l count -x -d 'requests in all; without --bench: make each transfer N times'
complete -c hcurl -l concurrency -x -d 'connections of a load run (10)'
complete -c hcurl -l duration -x -d 'time of a load run (10s, unless there is a --count)'
complete -c hcurl -l threads -x -d 'threads of a load run (1)'
