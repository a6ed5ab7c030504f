/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/net_client.h"

#include <sys/stat.h>

#include "server/net/assets.h"
#include "tests/support/remove_tree.h"

static char folder[] = "/tmp/polyvisor-assets-XXXXXX";
static struct net *net;
static unsigned port;
static char *last; /* answer */

static void ask_nothing(void)
{
    free(last);
    last = NULL;
}

static enum req_result page(struct req *r)
{
    return reply_page(r);
}

static enum req_result thing(struct req *r)
{
    return reply_empty(r, 204);
}

static const struct route table[] = {
    { .method = "GET", .pattern = "/{...}", .permission = PERM_PUBLIC, .handler = page },
    { .method = "GET", .pattern = "/api/v1/things/{id}", .permission = PERM_PUBLIC, .handler = thing },
    { 0 },
};

static void put(const char *name, const char *text)
{
    char path[300];
    FILE *f;

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    f = fopen(path, "w");
    cr_assert(f, "%s", path);
    fputs(text, f);
    fclose(f);
}

static void make_page(void)
{
    char path[300];

    cr_assert(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/assets", folder);
    cr_assert(mkdir(path, 0700) == 0);
    put("index.html", "<p>the page");
    put("index.html.br", "packed by br");
    put("index.html.gz", "packed by gz");
    put("theme.js", "theme");
    put("assets/app-a1B_-2c3.js", "code");
    put("assets/app-a1B_-2c3.js.br", "brcode");
    put("assets/plain.css", "css");
    put(".hidden", "secret");
    snprintf(path, sizeof(path), "%s/out.txt", folder);
    cr_assert(symlink("/etc/hostname", path) == 0);
}

static void start(const char *web)
{
    struct net_config config = { .listen = "127.0.0.1:0", .routes = table, .web = web };
    struct pv_err err = { 0 };

    cr_assert(net_start(&config, &net, &err) == PV_OK, "%s", err.message);
    port = net_port(net);
}

static void set_up(void)
{
    make_page();
    start(folder);
}

static void tear_down(void)
{
    ask_nothing();
    net_stop(net, 0);
    remove_tree(folder);
}

static void start_without(void)
{
    start(NULL);
}

static void stop_without(void)
{
    ask_nothing();
    net_stop(net, 0);
}

/* One request on a connection of its own; answers its whole answer. */
static const char *ask(const char *method, const char *path, const char *headers)
{
    free(last);
    last = client_request(port, method, path, headers, NULL);
    return last;
}

static void expect(const char *answer, const char *wanted)
{
    cr_assert(strstr(answer, wanted), "\"%s\" is missing in:\n%s", wanted, answer);
}

static void expect_not(const char *answer, const char *unwanted)
{
    cr_assert(!strstr(answer, unwanted), "\"%s\" should not be in:\n%s", unwanted, answer);
}

TestSuite(assets, .init = set_up, .fini = tear_down);
TestSuite(no_assets, .init = start_without, .fini = stop_without);

Test(assets, the_root_is_index_html_that_is_asked_for_again)
{
    const char *a = ask("GET", "/", "");

    expect(a, "200 OK");
    expect(a, "<p>the page");
    expect(a, "Content-Type: text/html; charset=utf-8");
    expect(a, "Cache-Control: no-cache");
    expect(a, "ETag: \"");
    expect(a, "Vary: Accept-Encoding");
    expect(a, "object-src 'none'");
    expect(a, "default-src 'self'");
    expect_not(a, "unsafe");
}

Test(assets, a_name_with_a_hash_may_be_kept_for_a_year)
{
    expect(ask("GET", "/assets/app-a1B_-2c3.js", ""), "Cache-Control: public, max-age=31536000, immutable");
    expect(ask("GET", "/assets/plain.css", ""), "Cache-Control: no-cache");
    expect(ask("GET", "/theme.js", ""), "Cache-Control: no-cache");
}

Test(assets, the_packed_form_is_chosen_by_what_the_client_takes)
{
    const char *a = ask("GET", "/", "Accept-Encoding: gzip, deflate, br\r\n");

    expect(a, "Content-Encoding: br");
    expect(a, "packed by br");
    a = ask("GET", "/", "Accept-Encoding: gzip\r\n");
    expect(a, "Content-Encoding: gzip");
    expect(a, "packed by gz");
    expect(ask("GET", "/", "Accept-Encoding: br;q=0, gzip;q=0.5\r\n"), "packed by gz");
    expect(ask("GET", "/", "Accept-Encoding: br;q=0.000, *\r\n"), "packed by gz");
    expect(ask("GET", "/", "Accept-Encoding: *\r\n"), "packed by br");
    a = ask("GET", "/theme.js", "Accept-Encoding: br\r\n");
    expect_not(a, "Content-Encoding");
    expect(a, "theme");
}

Test(assets, addresses_of_the_page_are_index_html)
{
    expect(ask("GET", "/vms", ""), "<p>the page");
    expect(ask("GET", "/vms/vm_01/hardware?tab=x", ""), "<p>the page");
    expect(ask("GET", "/apiary", ""), "<p>the page");
}

Test(assets, wrong_addresses_of_the_api_and_missing_files_are_problems)
{
    static const char *const paths[] = { "/api/v1/nothing", "/api", "/api/", "/agent/x", "/console/y", "/metrics",
                                         "/healthz", "/readyz", "/missing.js", "/assets/app-00000000.js", "/.hidden",
                                         "/out.txt", "/index.html.br/x" };

    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        const char *a = ask("GET", paths[i], "");

        expect(a, "404 Not Found");
        expect(a, "application/problem+json");
    }
}

Test(assets, no_path_leads_out_of_the_folder)
{
    static const char *const paths[] = { "/../../etc/passwd", "/assets/../../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd",
                                         "/..%2f..%2fetc%2fpasswd", "//etc/passwd", "/assets/%00" };

    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
        expect_not(ask("GET", paths[i], ""), "root:");
}

Test(assets, an_unchanged_file_is_not_sent_again)
{
    char etag[64], header[160];
    const char *a = ask("GET", "/", "Accept-Encoding: br\r\n"), *at = strstr(a, "ETag: ");

    cr_assert(at && sscanf(at, "ETag: %60s", etag) == 1);
    snprintf(header, sizeof(header), "Accept-Encoding: br\r\nIf-None-Match: %s\r\n", etag);
    a = ask("GET", "/vms", header);
    expect(a, "304 Not Modified");
    expect(a, etag);
    snprintf(header, sizeof(header), "If-None-Match: %s\r\n", etag);
    expect(ask("GET", "/", header), "200 OK");
}

Test(assets, head_has_the_headers_alone)
{
    const char *a = ask("HEAD", "/assets/app-a1B_-2c3.js", "");

    expect(a, "200 OK");
    expect(a, "Content-Length: 4");
    expect(a, "text/javascript");
    cr_assert_str_eq(strstr(a, "\r\n\r\n"), "\r\n\r\n");
}

Test(assets, other_methods_are_told_what_there_is)
{
    const char *a = ask("DELETE", "/vms", "");

    expect(a, "405 Method Not Allowed");
    expect(a, "Allow: GET, HEAD, OPTIONS");
    expect(ask("GET", "/api/v1/things/7", ""), "204 No Content");
}

Test(assets, a_folder_without_a_page_is_an_error)
{
    struct assets *a;
    struct pv_err err = { 0 };

    cr_assert(assets_load("/nowhere/at/all", &a, &err) == PV_ENOENT);
    cr_assert(assets_load("/sys/kernel/debug/none", &a, &err) == PV_ENOENT);
    {
        char path[300];

        snprintf(path, sizeof(path), "%s/assets", folder);
        cr_assert(assets_load(path, &a, &err) == PV_ENOENT, "it has no index.html");
    }
}

Test(no_assets, people_are_told_that_there_is_no_page)
{
    const char *a = ask("GET", "/vms", "Accept: text/html,application/xhtml+xml\r\n");

    expect(a, "404 Not Found");
    expect(a, "text/html");
    expect(a, "is not installed here");
    expect(ask("GET", "/vms", ""), "application/problem+json");
}
