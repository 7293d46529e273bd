HOME=$BYLINE_BROWSER_HOME exec chromium --headless --no-sandbox --disable-gpu ${HTTPS_PROXY:+--proxy-server=$HTTPS_PROXY} --dump-dom "$URL"
